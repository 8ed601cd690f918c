/** Checks .inv files together: definitions are shared between them, a name is defined once. */
import { cType, recordBehind } from "./c-types.ts";
import { checkEvents, defaultPhase } from "./check-events.ts";
import { ExpressionChecker } from "./check-expression.ts";
import {
  type Extent,
  errorTerm,
  FileNotes,
  type KnownDefinition,
  type MemberPlace,
  MOST_DEEP,
  MOST_PARTS,
  type Reference,
  type Scope,
  type Shared,
  TOO_MUCH,
  type Visible,
} from "./checker.ts";
import type { BuiltIns, ProgramNames } from "./declarations.ts";
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
import { ERROR, type Type } from "./types.ts";

export interface SourceFile {
  readonly path: string;
  readonly file: InvFile;
  /** Of the parser: an invariant that has one is not evaluated. */
  readonly diagnostics: readonly Diagnostic[];
}

/** A checked file, and what each name in its text refers to. */
export interface ResolvedFile extends CheckedFile {
  readonly references: readonly Reference[];
  readonly visible: readonly Visible[];
  readonly members: readonly MemberPlace[];
}

/** The variables that a text at the offset sees, the innermost first; a hidden one is left out. */
export function variablesAt({ visible }: ResolvedFile, offset: number): Variable[] {
  const around = visible.filter(({ start, end }) => start <= offset && offset <= end);
  around.sort((a, b) => b.start - a.start);
  const byName = new Map<string, Variable>();
  for (const { variable } of around) {
    if (!byName.has(variable.name)) byName.set(variable.name, variable);
  }
  return [...byName.values()];
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
  private readonly broken = new Map<Definition, boolean>();
  private readonly shared: Shared;

  constructor(files: readonly SourceFile[], builtIns: BuiltIns, program: ProgramNames | undefined) {
    this.files = files;
    const { definitions } = this;
    const definition = (known: KnownDefinition) => this.definition(known);
    this.shared = { builtIns, program, definitions, definition, extent: newExtent() };
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
        const unchecked = { checked: undefined, isBeingChecked: false, depth: 0, parts: 0 };
        this.definitions.set(name.text, { item, path, ...unchecked });
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
    const sound = withoutErrors(invariants, all).filter(
      ({ body, events }) =>
        ![body, ...events.flatMap(({ range = [] }) => range)].some((term) => this.usesBroken(term)),
    );
    const { references, visible, members } = notes;
    const found = { references, visible, members };
    return { path, invariants: sound, definitions, memory, diagnostics: all, ...found };
  }

  private invariant(item: InvariantItem, path: string, notes: FileNotes): CheckedInvariant {
    const { name, events, doc, source, start, end } = item;
    Object.assign(this.shared.extent, newExtent());
    const checked = checkEvents(events, this.shared, notes);
    const place = { events, scope: undefined, isWithinOld: false };
    const body = new ExpressionChecker(this.shared, notes).boolean(
      item.body,
      place,
      "An invariant",
    );
    this.isTooMuch(name, notes);
    return {
      name: name.text,
      events: checked,
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
    if (known.checked !== undefined) return this.putIn(known, known.checked);
    const notes = this.notesOf(path);
    if (known.isBeingChecked) {
      notes.error(
        item.name,
        `${item.name.text} is defined by itself: definitions do not go in circles`,
      );
      return undefined;
    }
    known.isBeingChecked = true;
    const { extent } = this.shared;
    const { depth, deepest, parts: before } = extent;
    Object.assign(extent, { deepest: depth, parts: 0 });
    let scope: Scope | undefined;
    const parameters = item.parameters.map((each): Variable => {
      const variable = { name: each.name.text, type: this.parameterType(each, notes) };
      notes.refer(each.name, { kind: "variable", variable, declared: each.name }, variable.type);
      notes.see(variable, each.name.end, item.end);
      scope = { variable, declared: each.name, outer: scope, isUsed: false };
      return variable;
    });
    const place = { events: [], scope, isWithinOld: false };
    const checker = new ExpressionChecker(this.shared, notes);
    const body = checker.load(checker.check(item.body, place));
    const isTooMuch = this.isTooMuch(item.name, notes);
    known.checked = { name: item.name.text, parameters, body: isTooMuch ? errorTerm(item) : body };
    known.depth = isTooMuch ? 1 : extent.deepest - depth;
    known.parts = isTooMuch ? 1 : extent.parts;
    Object.assign(extent, { deepest, parts: before });
    return this.putIn(known, known.checked);
  }

  /** Counts what a definition brings along where it is used. */
  private putIn({ depth, parts: count }: KnownDefinition, checked: Definition): Definition {
    const { extent } = this.shared;
    extent.parts += count;
    extent.deepest = Math.max(extent.deepest, extent.depth + depth);
    return checked;
  }

  private isTooMuch(name: Name, notes: FileNotes): boolean {
    const { deepest, parts: count } = this.shared.extent;
    if (deepest <= MOST_DEEP && count <= MOST_PARTS) return false;
    notes.error(name, `${name.text} is ${TOO_MUCH}`);
    return true;
  }

  /** Whether a term uses a definition with an error in it; each definition is looked at once. */
  private usesBroken(term: Term): boolean {
    if (term.type.kind === "error") return true;
    if (term.kind === "expand" && this.isBroken(term.definition)) return true;
    return parts(term).some((each) => this.usesBroken(each));
  }

  private isBroken(definition: Definition): boolean {
    let isBroken = this.broken.get(definition);
    if (isBroken === undefined) {
      isBroken = this.usesBroken(definition.body);
      this.broken.set(definition, isBroken);
    }
    return isBroken;
  }

  private parameterType({ type }: DefineItem["parameters"][number], notes: FileNotes) {
    const { builtIns } = this.shared;
    const found = typeNamed(type.text, builtIns) ?? this.recordOfC(type.text);
    if (found !== undefined) {
      notes.refer(type, { kind: "type", name: type.text, type: found }, found);
    } else if (type.text !== "") {
      const others = "; there are integer, boolean, hpa range, list of TYPE, Leaf and the like";
      notes.unknownName(type, `There is no type ${type.text}`, typeNames(builtIns), others);
    }
    return found ?? ERROR;
  }

  /** A struct or union of the program's; its other types are read as integers. */
  private recordOfC(name: string): Type | undefined {
    const type = this.shared.program?.typeNamed(name);
    return type && recordBehind(type, false) && cType(type);
  }

  private memory(item: MemoryItem, notes: FileNotes): { first: bigint; end: bigint }[] {
    return item.ranges.flatMap(({ first, end }) => {
      const [a, b] = [this.constant(first, notes), this.constant(end, notes)];
      if (a === undefined || b === undefined) return [];
      if (a < b && b <= PHYSICAL_END) return [{ first: a, end: b }];
      notes.error(
        { start: first.start, end: end.end },
        a < b
          ? "Host-physical addresses have 52 bits, and the range ends behind them"
          : "The range is empty: its end comes behind its first byte",
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

/** Of host-physical addresses: APM volume 2, section 5.1. */
const PHYSICAL_END = 1n << 52n;

const newExtent = (): Extent => ({ depth: 0, deepest: 0, parts: 0 });

/** Those in whose text no error stands. Both are in the order of their places. */
function withoutErrors(
  invariants: readonly CheckedInvariant[],
  diagnostics: readonly Diagnostic[],
): CheckedInvariant[] {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  let at = 0;
  return invariants.filter(({ span }) => {
    while ((errors[at]?.start ?? span.start) < span.start) at++;
    return (errors[at]?.start ?? span.end) >= span.end;
  });
}
