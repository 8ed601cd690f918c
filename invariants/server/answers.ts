/** Answers to an editor's questions about .inv files, in the terms of the Language Server Protocol. */
import {
  type CodeAction,
  CodeActionKind,
  type CompletionItem,
  CompletionItemKind,
  type Diagnostic,
  DiagnosticSeverity,
  DocumentSymbol,
  type Hover,
  type Location,
  type Position,
  type Range,
  type SemanticTokens,
  SemanticTokensBuilder,
  SymbolKind,
  type TextEdit,
  type WorkspaceEdit,
} from "vscode-languageserver";
import { TextDocument } from "vscode-languageserver-textdocument";
import type { SourceLocation } from "../../symbols/source-index.ts";
import { format, type Reference, type Span } from "../language/index.ts";
import { acl2Text } from "./acl2-form.ts";
import { type Candidate, candidatesAt } from "./complete.ts";
import { describeReference } from "./describe.ts";
import { expressionAt } from "./expression-at.ts";
import { type CDescription, describeC } from "./hypervisor.ts";
import type { ExpressionAt } from "./protocol.ts";
import { isOurs, rename } from "./rename.ts";
import { tokensOf } from "./semantic-tokens.ts";
import type { SourceFinder } from "./source-files.ts";
import { uriOf } from "./uri.ts";
import type { InvWorkspace, Place } from "./workspace.ts";

const KINDS: { readonly [K in Candidate["kind"]]: CompletionItemKind } = {
  field: CompletionItemKind.Field,
  variable: CompletionItemKind.Variable,
  function: CompletionItemKind.Function,
  constant: CompletionItemKind.Constant,
  keyword: CompletionItemKind.Keyword,
  event: CompletionItemKind.Event,
  type: CompletionItemKind.Class,
  symbol: CompletionItemKind.Value,
};

/** One sentence: what was asked cannot be done. */
export class Refusal extends Error {}

/** What a symbol's completion is resolved by. */
interface SymbolData {
  readonly name: string;
  /** Of the .inv file. */
  readonly path: string;
}

export class Answers {
  private readonly workspace: InvWorkspace;
  private readonly sourceFile: SourceFinder;
  /** Of the texts that they were made of. */
  private readonly documents = new Map<string, TextDocument>();

  constructor(workspace: InvWorkspace, sourceFile: SourceFinder) {
    this.workspace = workspace;
    this.sourceFile = sourceFile;
  }

  diagnostics(path: string): Diagnostic[] {
    return (this.workspace.file(path)?.diagnostics ?? []).map((each) => ({
      range: this.range(path, each),
      message: `${each.message}.`.replace(/\?\.$/, "?"),
      severity: each.severity === "error" ? DiagnosticSeverity.Error : DiagnosticSeverity.Warning,
      source: "invariants",
    }));
  }

  hover(path: string, position: Position): Hover | null {
    const reference = this.referenceAt(path, position);
    if (reference === undefined) return null;
    const c = describeC(reference, this.workspace.programOf(path));
    const item = this.workspace.itemOf(reference.referent);
    const value = describeReference(reference, { c, item, place: c && this.placeText(c, path) });
    if (value === undefined) return null;
    return { contents: { kind: "markdown", value }, range: this.range(path, reference) };
  }

  completion(path: string, position: Position): CompletionItem[] {
    const candidates = candidatesAt(this.workspace, path, this.offset(path, position));
    return candidates.map(({ name, kind, detail, doc }) => ({
      label: name,
      kind: KINDS[kind],
      ...(detail === undefined ? {} : { detail }),
      ...(doc === undefined ? {} : { documentation: doc }),
      ...(kind === "symbol" ? { data: { name: name.replace("$", ""), path } } : {}),
    }));
  }

  /** What a symbol is, is looked up for the one that the user looks at. */
  resolved(item: CompletionItem): CompletionItem {
    if (item.data === undefined) return item;
    const { name, path } = item.data as SymbolData;
    const program = this.workspace.programOf(path);
    const referent = { kind: "symbol", name } as const;
    const found =
      describeC({ referent: { ...referent, of: "global" }, type: undefined }, program) ??
      describeC({ referent: { kind: "enumerator", name }, type: undefined }, program) ??
      describeC({ referent: { ...referent, of: "function" }, type: undefined }, program);
    return found === undefined ? item : { ...item, detail: found.declaration };
  }

  definition(path: string, position: Position): Location | null {
    const reference = this.referenceAt(path, position);
    if (reference === undefined) return null;
    const declared = this.workspace.declarationOf(reference.referent, path);
    if (declared !== undefined) return this.location(declared);
    const place = describeC(reference, this.workspace.programOf(path))?.place;
    const file = place && this.sourceFile(place.path, path);
    if (place === undefined || file === undefined) return null;
    const start = { line: place.line - 1, character: Math.max(place.column - 1, 0) };
    return { uri: uriOf(file), range: { start, end: start } };
  }

  references(path: string, position: Position): Location[] {
    const reference = this.referenceAt(path, position);
    if (reference === undefined) return [];
    return this.workspace.placesOf(reference.referent, path).map((place) => this.location(place));
  }

  prepareRename(path: string, position: Position): Range | null {
    const reference = this.referenceAt(path, position);
    return reference !== undefined && isOurs(reference) ? this.range(path, reference) : null;
  }

  /** Throws a Refusal. */
  rename(path: string, position: Position, newName: string): WorkspaceEdit {
    const reference = this.referenceAt(path, position);
    if (reference === undefined) throw new Refusal("There is no name here to change.");
    const renaming = rename(this.workspace, path, reference, newName);
    if ("refusal" in renaming) throw new Refusal(`${renaming.refusal}.`);
    const changes: Record<string, TextEdit[]> = {};
    for (const place of renaming.places) {
      const uri = uriOf(place.path);
      changes[uri] ??= [];
      changes[uri].push({ range: this.range(place.path, place), newText: newName });
    }
    return { changes };
  }

  symbols(path: string): DocumentSymbol[] {
    return this.workspace.parsed(path).file.items.flatMap((item) => {
      if (item.kind === "memory" || item.name.text === "") return [];
      const kind = item.kind === "invariant" ? SymbolKind.Property : SymbolKind.Function;
      const [range, own] = [this.range(path, item), this.range(path, item.name)];
      return [DocumentSymbol.create(item.name.text, item.doc?.text, kind, range, own)];
    });
  }

  /** Nothing where the file has errors: what is not understood is not moved. */
  formatting(path: string): TextEdit[] {
    const text = this.workspace.text(path);
    if (this.workspace.parsed(path).diagnostics.length > 0) return [];
    return [{ range: this.range(path, { start: 0, end: text.length }), newText: format(text) }];
  }

  /** Of the names within the range, all of them without one. */
  semanticTokens(path: string, within?: Range): SemanticTokens {
    const builder = new SemanticTokensBuilder();
    const file = this.workspace.file(path);
    const first = within === undefined ? 0 : this.offset(path, within.start);
    const last = within === undefined ? Number.POSITIVE_INFINITY : this.offset(path, within.end);
    for (const { start, end, type, modifiers } of file === undefined ? [] : tokensOf(file)) {
      if (end <= first || start >= last) continue;
      const at = this.document(path).positionAt(start);
      builder.push(at.line, at.character, end - start, type, modifiers);
    }
    return { data: builder.build().data };
  }

  /** Changes of misspelt names within the range into what is meant. */
  codeActions(path: string, within: Range): CodeAction[] {
    const [first, last] = [this.offset(path, within.start), this.offset(path, within.end)];
    return (this.workspace.file(path)?.diagnostics ?? []).flatMap((each) => {
      const { suggestion, start, end } = each;
      if (suggestion === undefined || end < first || start > last) return [];
      const edit = { range: this.range(path, each), newText: suggestion };
      return [
        {
          title: `Change to ${suggestion}`,
          kind: CodeActionKind.QuickFix,
          isPreferred: true,
          edit: { changes: { [uriOf(path)]: [edit] } },
        },
      ];
    });
  }

  expressionAt(path: string, position: Position): ExpressionAt | null {
    const reference = this.referenceAt(path, position);
    const file = this.workspace.file(path);
    if (reference === undefined || file === undefined) return null;
    const expression = expressionAt(file, reference, this.workspace.text(path));
    return expression === undefined ? null : { expression };
  }

  /** Throws a Refusal. */
  acl2Form(path: string, name: string): string {
    const file = this.workspace.file(path);
    const invariant = file?.invariants.find((each) => each.name === name);
    if (invariant !== undefined) return acl2Text(invariant);
    const why =
      file === undefined
        ? `there is no file ${path}`
        : `it is not in ${path}, or an error stands in it: correct that first`;
    throw new Refusal(`${name} has no ACL2 form: ${why}.`);
  }

  private referenceAt(path: string, position: Position): Reference | undefined {
    return this.workspace.referenceAt(path, this.offset(path, position));
  }

  private document(path: string): TextDocument {
    const text = this.workspace.text(path);
    const known = this.documents.get(path);
    if (known?.getText() === text) return known;
    const made = TextDocument.create(path, "inv", 0, text);
    this.documents.set(path, made);
    return made;
  }

  private offset(path: string, position: Position): number {
    return this.document(path).offsetAt(position);
  }

  private range(path: string, { start, end }: Span): Range {
    const document = this.document(path);
    return { start: document.positionAt(start), end: document.positionAt(end) };
  }

  private location({ path, start, end }: Place): Location {
    return { uri: uriOf(path), range: this.range(path, { start, end }) };
  }

  private placeText({ place }: CDescription, path: string): string | undefined {
    return place && linked(place, this.sourceFile(place.path, path));
  }
}

/** "main.c:11", as a link where the file is there. */
function linked({ path, line }: SourceLocation, file: string | undefined): string {
  const text = `${path}:${line}`;
  return file === undefined ? `\`${text}\`` : `[${text}](${uriOf(file)}#L${line})`;
}
