/** Checks .inv files together: definitions are shared between them, a name is defined once. */
import { checkEvents, defaultPhase } from "./check-events.ts";
import { ExpressionChecker } from "./check-expression.ts";
import {
  FileNotes,
  type KnownDefinition,
  type Reference,
  type Scope,
  type Shared,
} from "./checker.ts";
import type { BuiltIns, ProgramNames } from "./declarations.ts";
import { didYouMean } from "./similar.ts";
import type { DefineItem, Expression, InvariantItem, InvFile, MemoryItem, Name } from "./syntax.ts";
import type {
  CheckedFile,
  CheckedInvariant,
  Definition,
  Diagnostic,
  Term,
  Variable,
} from "./term.ts";
import { parts } from "./term-parts.ts";
import { typeNamed, typeNames } from "./type-syntax.ts";
import { ERROR } from "./types.ts";

export interface SourceFile {
  readonly path: string;
  readonly file: InvFile;
  /** Of the parser: an invariant that has one is not evaluated. */
  readonly diagnostics: readonly Diagnostic[];
}

/** A checked file, and what each name in its text refers to. */
export interface ResolvedFile extends CheckedFile {
  readonly references: readonly Reference[];
}

/** Never throws. An invariant with an error in it is left out of `invariants`. */
export function check(
  files: readonly SourceFile[],
  builtIns: BuiltIns,
  program: ProgramNames | undefined,
): ResolvedFile[] {
  return new FilesChecker(files, builtIns, program).check();
}

class FilesChecker {
  private readonly files: readonly SourceFile[];
  private readonly notes = new Map<string, FileNotes>();
  private readonly definitions = new Map<string, KnownDefinition>();
  private readonly invariants = new Map<string, { readonly path: string; readonly name: Name }>();
  private readonly shared: Shared;

  constructor(files: readonly SourceFile[], builtIns: BuiltIns, program: ProgramNames | undefined) {
    this.files = files;
    const { definitions } = this;
    const definition = (known: KnownDefinition) => this.definition(known);
    this.shared = { builtIns, program, definitions, definition };
  }

  check(): ResolvedFile[] {
    for (const { path } of this.files) this.notes.set(path, new FileNotes());
    for (const source of this.files) this.declare(source);
    return this.files.map((source) => this.file(source));
  }

  private notesOf(path: string): FileNotes {
    return this.notes.get(path) as FileNotes;
  }

  private declare({ path, file }: SourceFile): void {
    for (const item of file.items) {
      if (item.kind === "memory" || item.name.text === "") continue;
      const { name } = item;
      const before = this.definitions.get(name.text) ?? this.invariants.get(name.text);
      if (before !== undefined) {
        const where = before.path === path ? "above" : `in ${before.path}`;
        this.notesOf(path).error(name, `There is a ${name.text} already, ${where}`);
      } else if (item.kind === "define") {
        this.definitions.set(name.text, { item, path, checked: undefined, isBeingChecked: false });
      } else this.invariants.set(name.text, { path, name });
      const kind = item.kind === "define" ? "definition" : "invariant";
      this.notesOf(path).refer(name, { kind, name: name.text, path, declared: name });
    }
  }

  private file({ path, file, diagnostics }: SourceFile): ResolvedFile {
    const notes = this.notesOf(path);
    const memory: { first: bigint; end: bigint }[] = [];
    const invariants: CheckedInvariant[] = [];
    const definitions: Definition[] = [];
    for (const item of file.items) {
      if (item.kind === "memory") memory.push(...this.memory(item, notes));
      else if (item.kind === "define") {
        const known = this.definitions.get(item.name.text);
        const checked = known?.item === item ? this.definition(known) : undefined;
        if (checked !== undefined) definitions.push(checked);
      } else invariants.push(this.invariant(item, path, notes));
    }
    const all = [...diagnostics, ...notes.diagnostics].sort((a, b) => a.start - b.start);
    const errors = all.filter(({ severity }) => severity === "error");
    const isSound = ({ span }: CheckedInvariant): boolean =>
      errors.every(({ start }) => start < span.start || start >= span.end);
    const sound = invariants.filter((each) => isSound(each) && !usesBroken(each.body));
    const { references } = notes;
    return { path, invariants: sound, definitions, memory, diagnostics: all, references };
  }

  private invariant(item: InvariantItem, path: string, notes: FileNotes): CheckedInvariant {
    const { name, events, doc, source, start, end } = item;
    checkEvents(events, this.shared, notes);
    const place = { events, scope: undefined, isWithinOld: false };
    const body = new ExpressionChecker(this.shared, notes).boolean(
      item.body,
      place,
      "An invariant",
    );
    return {
      name: name.text,
      events,
      phase: item.phase ?? defaultPhase(events),
      doc: doc?.text ?? "",
      source: source?.text,
      body,
      file: path,
      span: { start, end },
      nameSpan: name,
    };
  }

  /** Checked when it is first used; undefined while it is being checked: it would call itself. */
  private definition(known: KnownDefinition): Definition | undefined {
    const { item, path } = known;
    if (known.checked !== undefined) return known.checked;
    const notes = this.notesOf(path);
    if (known.isBeingChecked) {
      notes.error(
        item.name,
        `${item.name.text} is defined by itself: definitions do not go in circles`,
      );
      return undefined;
    }
    known.isBeingChecked = true;
    let scope: Scope | undefined;
    const parameters = item.parameters.map((each): Variable => {
      const variable = { name: each.name.text, type: this.parameterType(each, notes) };
      notes.refer(each.name, { kind: "variable", variable, declared: each.name }, variable.type);
      scope = { variable, declared: each.name, outer: scope, isUsed: false };
      return variable;
    });
    const place = { events: [], scope, isWithinOld: false };
    const checker = new ExpressionChecker(this.shared, notes);
    const body = checker.load(checker.check(item.body, place));
    known.checked = { name: item.name.text, parameters, body };
    return known.checked;
  }

  private parameterType({ type }: DefineItem["parameters"][number], notes: FileNotes) {
    const found = typeNamed(type.text, this.shared.builtIns);
    if (found === undefined && type.text !== "") {
      const hint = didYouMean(type.text, typeNames(this.shared.builtIns));
      notes.error(type, `There is no type ${type.text}${hint}`);
    }
    return found ?? ERROR;
  }

  private memory(item: MemoryItem, notes: FileNotes): { first: bigint; end: bigint }[] {
    return item.ranges.flatMap(({ first, end }) => {
      const [a, b] = [this.constant(first, notes), this.constant(end, notes)];
      if (a === undefined || b === undefined) return [];
      if (a >= 0n && a < b) return [{ first: a, end: b }];
      notes.error(
        { start: first.start, end: end.end },
        "The range is empty: its end comes behind its first byte",
      );
      return [];
    });
  }

  private constant(node: Expression, notes: FileNotes): bigint | undefined {
    if (node.kind === "number") return node.value;
    if (node.kind !== "missing")
      notes.error(node, "The memory of the hypervisor is declared with numbers");
    return undefined;
  }
}

/** Whether a term uses a definition with an error in it. */
function usesBroken(term: Term): boolean {
  if (term.type.kind === "error") return true;
  if (term.kind === "expand" && usesBroken(term.definition.body)) return true;
  return parts(term).some(usesBroken);
}
