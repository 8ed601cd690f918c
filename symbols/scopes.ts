// Finds what of the source is in effect at a pc: functions, inlined calls, blocks, variables.
import { At, Form, Tag } from "./dwarf/constants.ts";
import type { Entry } from "./dwarf/entry.ts";
import type { DebugInfo } from "./dwarf/info.ts";
import { type NamedKind, NameIndex } from "./dwarf/name-index.ts";
import type { AddressRange } from "./dwarf/range-list.ts";
import { FormatError } from "./dwarf/reader.ts";
import type { Unit } from "./dwarf/unit.ts";

/** A concrete function: one that has code of its own. */
export interface ConcreteFunction {
  readonly entry: Entry;
  readonly ranges: readonly AddressRange[];
}

/** A function or an inlined call of one, with the blocks that hold the pc, outermost first. */
export interface ActiveFunction {
  readonly entry: Entry;
  readonly blocks: readonly Entry[];
}

interface UnitRange extends AddressRange {
  readonly unit: Unit;
}

interface FunctionRange extends AddressRange {
  readonly function: ConcreteFunction;
}

const MAX_NESTING = 256;
const MAX_OVERLAP = 16;

/** So many units are searched for code of one function: one may be inlined in thousands. */
const MAX_UNITS = 200;

/** Forms of a location that is a list, in DWARF 5, in DWARF 4, and until DWARF 3. */
const LIST_FORMS: ReadonlySet<number> = new Set([Form.loclistx, Form.secOffset]);
const OLD_LIST_FORMS: ReadonlySet<number> = new Set([Form.data4, Form.data8]);

/** Entries by address and by name, each unit read when it is first needed. */
export class ScopeIndex {
  private readonly info: DebugInfo;
  private readonly isLoaded: (address: bigint) => boolean;
  private readonly unitRanges: readonly UnitRange[];
  private readonly functions = new Map<Unit, FunctionRange[]>();
  private readonly optimised = new Map<Unit, boolean>();
  private nameIndex: NameIndex | undefined;

  /** `lineRanges` gives the code of a unit that does not say where its code is. */
  constructor(
    info: DebugInfo,
    isLoaded: (address: bigint) => boolean,
    lineRanges: (unit: Unit) => readonly AddressRange[],
  ) {
    this.info = info;
    this.isLoaded = isLoaded;
    const ranges: UnitRange[] = [];
    for (const unit of info.units) {
      const own = this.rangesOf(unit.root);
      for (const range of own.length > 0 ? own : lineRanges(unit)) ranges.push({ ...range, unit });
    }
    this.unitRanges = ranges.sort(byStart);
  }

  /** The unit whose code holds `address`. */
  unitAt(address: bigint): Unit | undefined {
    return rangeAt(this.unitRanges, address)?.unit;
  }

  functionAt(address: bigint): ConcreteFunction | undefined {
    const unit = this.unitAt(address);
    return unit && rangeAt(this.functionsOf(unit), address)?.function;
  }

  /** The function at `pc` and the calls inlined into it there, outermost first. */
  activeAt(pc: bigint): ActiveFunction[] {
    const found = this.functionAt(pc);
    if (!found) return [];
    const active: { entry: Entry; blocks: Entry[] }[] = [{ entry: found.entry, blocks: [] }];
    let inner: Entry | undefined = found.entry;
    for (let i = 0; i < MAX_NESTING; i++) {
      inner = this.nestedAt(inner, pc);
      if (!inner) break;
      if (inner.tag === Tag.inlinedSubroutine) active.push({ entry: inner, blocks: [] });
      else active.at(-1)!.blocks.push(inner);
    }
    return active;
  }

  /** Functions with code, and calls inlined somewhere, of that name. */
  functionsNamed(name: string): readonly Entry[] {
    const units = this.index().unitsWithFunction(name);
    if (units.length > MAX_UNITS) {
      this.info.report(
        `${name} is in ${units.length} units; only ${MAX_UNITS} are searched for it`,
      );
    }
    return units.slice(0, MAX_UNITS).flatMap((unit) => this.functionsIn(unit, name));
  }

  /** Entries of that name at the top of units, and enumerators there. */
  entriesNamed(kind: NamedKind, name: string): Entry[] {
    const named = this.index().named(kind, name);
    return named.flatMap(({ unit, offset }) => unit.entries.get(offset) ?? []);
  }

  /** Names of such entries. */
  names(kind: NamedKind): Iterable<string> {
    return this.index().names(kind);
  }

  /** Names of types at the top of units, without "struct" and the like. */
  typeNames(): string[] {
    return [...this.index().names("type")];
  }

  private index(): NameIndex {
    this.nameIndex ??= new NameIndex(this.info);
    return this.nameIndex;
  }

  /**
   * Whether a unit's variables have location lists: it was compiled with optimisation, variables
   * are right from a function's first instruction on, and there is no prologue to stop behind.
   */
  isOptimised(unit: Unit): boolean {
    let known = this.optimised.get(unit);
    if (known === undefined) {
      const isOld = unit.header.version < 4;
      const isList = ({ attribute, form }: { attribute: number; form: number }) =>
        attribute === At.location && (LIST_FORMS.has(form) || (isOld && OLD_LIST_FORMS.has(form)));
      known = [...unit.entries.values()].some(({ abbreviation }) =>
        abbreviation.shapes.some(isList),
      );
      this.optimised.set(unit, known);
    }
    return known;
  }

  /** An entry's code without what the linker dropped. */
  rangesOf(entry: Entry): AddressRange[] {
    try {
      return entry.unit.rangesOf(entry).filter(({ start }) => this.isLoaded(start));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.info.report(error.message);
      return [];
    }
  }

  private functionsOf(unit: Unit): FunctionRange[] {
    const known = this.functions.get(unit);
    if (known) return known;
    const list: FunctionRange[] = [];
    for (const entry of unit.entries.values()) {
      if (entry.tag !== Tag.subprogram) continue;
      const ranges = this.rangesOf(entry);
      for (const range of ranges) list.push({ ...range, function: { entry, ranges } });
    }
    list.sort(byStart);
    this.functions.set(unit, list);
    return list;
  }

  /** The block or inlined call directly in `entry` that holds `pc`. */
  private nestedAt(entry: Entry, pc: bigint): Entry | undefined {
    for (const child of entry.children) {
      if (child.tag !== Tag.lexicalBlock && child.tag !== Tag.inlinedSubroutine) continue;
      const ranges = this.rangesOf(child);
      if (holds(ranges, pc)) return child;
      if (ranges.length > 0 || child.tag !== Tag.lexicalBlock) continue;
      // A block without code of its own may still hold blocks that have some.
      const deeper = this.nestedAt(child, pc);
      if (deeper) return deeper;
    }
    return undefined;
  }

  private functionsIn(unit: Unit, name: string): Entry[] {
    const found: Entry[] = [];
    for (const entry of unit.entries.values()) {
      if (entry.tag !== Tag.subprogram && entry.tag !== Tag.inlinedSubroutine) continue;
      if (entry.name === name && this.rangesOf(entry).length > 0) found.push(entry);
    }
    return found;
  }
}

/**
 * The parameter and variable entries of a function or block: its own, those of blocks without
 * code, and those of its abstract origin that no concrete entry stands for (optimised out whole).
 */
export function variablesIn(scope: Entry): Entry[] {
  const own = directVariables(scope);
  const origin = scope.target(At.abstractOrigin);
  if (!origin) return own;
  const present = new Set<Entry>();
  const pending = [...scope.children];
  for (let entry = pending.pop(); entry; entry = pending.pop()) {
    const target = entry.target(At.abstractOrigin);
    if (target) present.add(target);
    if (entry.tag === Tag.lexicalBlock) pending.push(...entry.children);
  }
  return [...own, ...directVariables(origin).filter((entry) => !present.has(entry))];
}

function directVariables(scope: Entry, depth = 0): Entry[] {
  const found: Entry[] = [];
  for (const child of scope.children) {
    if (child.tag === Tag.formalParameter || child.tag === Tag.variable) {
      if (child.name !== undefined && !isDeclaration(child)) found.push(child);
    } else if (child.tag === Tag.lexicalBlock && depth < MAX_NESTING && !hasCode(child)) {
      if (!child.attributes.has(At.abstractOrigin)) continue;
      found.push(...directVariables(child, depth + 1));
    }
  }
  return found;
}

/** "extern int x;" in a function: the variable itself is elsewhere. */
function isDeclaration(entry: Entry): boolean {
  return entry.flag(At.declaration) && !entry.attributes.has(At.location);
}

function hasCode(entry: Entry): boolean {
  return entry.attributes.has(At.lowPc) || entry.attributes.has(At.ranges);
}

function holds(ranges: readonly AddressRange[], address: bigint): boolean {
  return ranges.some(({ start, end }) => start <= address && address < end);
}

function byStart(a: AddressRange, b: AddressRange): number {
  return a.start < b.start ? -1 : a.start > b.start ? 1 : 0;
}

/** The last of the sorted ranges that begins at or before `address` and holds it. */
function rangeAt<T extends AddressRange>(ranges: readonly T[], address: bigint): T | undefined {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.start <= address) low = middle + 1;
    else high = middle;
  }
  // Ranges of sound files do not overlap; of damaged ones a few are tried.
  for (let i = low - 1; i >= 0 && i >= low - MAX_OVERLAP; i--) {
    if (address < ranges[i]!.end) return ranges[i];
  }
  return undefined;
}
