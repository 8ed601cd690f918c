/** The language server of .inv files: the Language Server Protocol over the workspace. */
import {
  CompletionItemKind,
  type Connection,
  DiagnosticSeverity,
  DocumentSymbol,
  type Hover,
  type InitializeResult,
  type Location,
  LSPErrorCodes,
  ResponseError,
  SymbolKind,
  TextDocumentSyncKind,
  TextDocuments,
  type TextEdit,
} from "vscode-languageserver";
import { TextDocument } from "vscode-languageserver-textdocument";
import { format, type ProgramNames, parse } from "../language/index.ts";
import { acl2Text } from "./acl2-form.ts";
import { type Candidate, candidatesAt } from "./complete.ts";
import { describeReference } from "./describe.ts";
import { ACL2_FORM, type Acl2Form, type Acl2FormParams } from "./protocol.ts";
import { InvWorkspace, type Place } from "./workspace.ts";

const KINDS: { readonly [K in Candidate["kind"]]: CompletionItemKind } = {
  field: CompletionItemKind.Field,
  variable: CompletionItemKind.Variable,
  function: CompletionItemKind.Function,
  constant: CompletionItemKind.Constant,
  keyword: CompletionItemKind.Keyword,
  symbol: CompletionItemKind.Value,
};

export interface ServerOptions {
  /** Reads the hypervisor's image that the client names; undefined where it has no debug information. */
  readonly readProgram: (path: string) => ProgramNames | undefined;
}

const CAPABILITIES: InitializeResult = {
  capabilities: {
    textDocumentSync: TextDocumentSyncKind.Incremental,
    hoverProvider: true,
    completionProvider: { triggerCharacters: [".", ">"] },
    definitionProvider: true,
    referencesProvider: true,
    renameProvider: true,
    documentSymbolProvider: true,
    documentFormattingProvider: true,
  },
};

/** Serves the connection until it closes. */
export function serve(connection: Connection, options: ServerOptions): void {
  const server = new InvServer(connection, options);
  server.listen();
}

class InvServer {
  private readonly connection: Connection;
  private readonly options: ServerOptions;
  private readonly documents = new TextDocuments(TextDocument);
  private readonly workspace = new InvWorkspace();
  private program: ProgramNames | undefined;

  constructor(connection: Connection, options: ServerOptions) {
    this.connection = connection;
    this.options = options;
  }

  listen(): void {
    const { connection, documents } = this;
    connection.onInitialize(({ initializationOptions }) => {
      const { program } = (initializationOptions ?? {}) as { program?: string };
      if (program !== undefined && program !== "") {
        this.program = this.options.readProgram(program);
        this.workspace.setProgram(this.program);
      }
      return CAPABILITIES;
    });
    documents.onDidChangeContent(({ document }) => {
      this.workspace.set(document.uri, document.getText());
      this.tellAll();
    });
    documents.onDidClose(({ document }) => {
      this.workspace.remove(document.uri);
      void connection.sendDiagnostics({ uri: document.uri, diagnostics: [] });
      this.tellAll();
    });
    this.answer();
    documents.listen(connection);
    connection.listen();
  }

  private answer(): void {
    const { connection, workspace } = this;
    connection.onHover(({ textDocument: { uri }, position }): Hover | null => {
      const reference = workspace.referenceAt(uri, this.offset(uri, position));
      const value = reference && describeReference(reference);
      return value === undefined ? null : { contents: { kind: "markdown", value } };
    });
    connection.onCompletion(({ textDocument: { uri }, position }) =>
      candidatesAt(workspace, this.program, uri, this.offset(uri, position)).map(
        ({ name, kind, doc }) => ({
          label: name,
          kind: KINDS[kind],
          ...(doc === undefined ? {} : { documentation: doc }),
        }),
      ),
    );
    connection.onDefinition(({ textDocument: { uri }, position }) => {
      const reference = workspace.referenceAt(uri, this.offset(uri, position));
      const place = reference && workspace.declarationOf(reference.referent, uri);
      return place === undefined ? null : this.location(place);
    });
    connection.onReferences(({ textDocument: { uri }, position }) => {
      const reference = workspace.referenceAt(uri, this.offset(uri, position));
      if (reference === undefined) return [];
      return workspace.placesOf(reference.referent, uri).map((place) => this.location(place));
    });
    connection.onRenameRequest(({ textDocument: { uri }, position, newName }) =>
      this.rename(uri, this.offset(uri, position), newName),
    );
    connection.onDocumentSymbol(({ textDocument: { uri } }) => this.symbols(uri));
    connection.onDocumentFormatting(({ textDocument: { uri } }) => this.formatting(uri));
    connection.onRequest(ACL2_FORM, (params: Acl2FormParams) => this.acl2Form(params));
  }

  private document(uri: string): TextDocument {
    const known = this.documents.get(uri);
    return known ?? TextDocument.create(uri, "inv", 0, this.workspace.text(uri));
  }

  private offset(uri: string, position: { line: number; character: number }): number {
    return this.document(uri).offsetAt(position);
  }

  private range(uri: string, { start, end }: { start: number; end: number }) {
    const document = this.document(uri);
    return { start: document.positionAt(start), end: document.positionAt(end) };
  }

  private location({ path, start, end }: Place): Location {
    return { uri: path, range: this.range(path, { start, end }) };
  }

  private tellAll(): void {
    for (const uri of this.workspace.paths) {
      const diagnostics = (this.workspace.file(uri)?.diagnostics ?? []).map((each) => ({
        range: this.range(uri, each),
        message: `${each.message}.`,
        severity: each.severity === "error" ? DiagnosticSeverity.Error : DiagnosticSeverity.Warning,
        source: "invariants",
      }));
      void this.connection.sendDiagnostics({ uri, diagnostics });
    }
  }

  private rename(uri: string, offset: number, newName: string) {
    const reference = this.workspace.referenceAt(uri, offset);
    const kind = reference?.referent.kind;
    if (
      reference === undefined ||
      (kind !== "variable" && kind !== "definition" && kind !== "invariant")
    ) {
      return null;
    }
    if (!/^[A-Za-z_]\w*$/.test(newName)) return null;
    const changes: Record<string, TextEdit[]> = {};
    for (const place of this.workspace.placesOf(reference.referent, uri)) {
      const edits = changes[place.path] ?? [];
      edits.push({ range: this.range(place.path, place), newText: newName });
      changes[place.path] = edits;
    }
    return { changes };
  }

  private symbols(uri: string): DocumentSymbol[] {
    return parse(this.workspace.text(uri)).file.items.flatMap((item) => {
      if (item.kind === "memory" || item.name.text === "") return [];
      const kind = item.kind === "invariant" ? SymbolKind.Property : SymbolKind.Function;
      const range = this.range(uri, item);
      return [
        DocumentSymbol.create(
          item.name.text,
          item.doc?.text,
          kind,
          range,
          this.range(uri, item.name),
        ),
      ];
    });
  }

  private acl2Form({ uri, name }: Acl2FormParams): Acl2Form | ResponseError {
    const file = this.workspace.file(uri);
    const invariant = file?.invariants.find((each) => each.name === name);
    if (invariant !== undefined) return { text: acl2Text(invariant) };
    const why =
      file === undefined
        ? `${uri} is not open: open it first`
        : `it is not in ${uri}, or an error stands in it: correct that first`;
    return new ResponseError(LSPErrorCodes.RequestFailed, `${name} has no ACL2 form: ${why}.`);
  }

  /** Nothing where the file has errors: what is not understood is not moved. */
  private formatting(uri: string): TextEdit[] {
    const text = this.workspace.text(uri);
    if (parse(text).diagnostics.length > 0) return [];
    return [{ range: this.range(uri, { start: 0, end: text.length }), newText: format(text) }];
  }
}
