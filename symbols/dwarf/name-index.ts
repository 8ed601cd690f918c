// Which units have a function, variable or type of a name, from a scan that makes no entries.
import type { Abbreviation } from "./abbreviations.ts";
import { At, Form, Tag } from "./constants.ts";
import { asString, readForm, skipForm } from "./forms.ts";
import type { DebugInfo } from "./info.ts";
import { FormatError, type Reader } from "./reader.ts";
import type { Unit } from "./unit.ts";

export type NamedKind = "function" | "variable" | "type" | "enumerator";

const KINDS: Readonly<Record<number, NamedKind>> = {
  [Tag.subprogram]: "function",
  [Tag.variable]: "variable",
  [Tag.baseType]: "type",
  [Tag.typedef]: "type",
  [Tag.structureType]: "type",
  [Tag.unionType]: "type",
  [Tag.enumerationType]: "type",
  [Tag.classType]: "type",
  [Tag.enumerator]: "enumerator",
};

/** So many of one name are kept: a type is much the same in all units that have it. */
const MAX_SAME: Readonly<Record<NamedKind, number>> = {
  function: Number.POSITIVE_INFINITY,
  variable: 64,
  type: 8,
  enumerator: 1,
};

/** An entry at the top of a unit or in an enumeration there, by its offset in .debug_info. */
export interface NamedEntry {
  readonly unit: Unit;
  readonly offset: number;
}

/** What the scan needs of an entry of one abbreviation. */
interface Plan {
  readonly abbreviation: Abbreviation;
  readonly kind: NamedKind | undefined;
  readonly isDeclaration: boolean;
  /** Names in it are looked up too. */
  readonly isOpen: boolean;
}

type Found = Map<string, NamedEntry[]>;

/**
 * Only what stands at the top of a unit, and enumerators there, can be looked up: insides of
 * functions and records are passed over by DW_AT_sibling where compilers give it.
 */
export class NameIndex {
  private readonly found: Readonly<Record<NamedKind, Found>> = {
    function: new Map(),
    variable: new Map(),
    type: new Map(),
    enumerator: new Map(),
  };
  /** Types that no unit scanned so far defines. */
  private readonly declared: Found = new Map();
  private readonly strings = new Map<number, string>();
  /** Units that name functions by entries of other units, as link-time optimisation does. */
  private readonly linked: Unit[] = [];

  constructor(info: DebugInfo) {
    for (const unit of [...info.units, ...info.typeUnits]) {
      try {
        new UnitScan(unit, this.strings, (...named) => this.add(...named)).run();
        if (namesByOtherUnits(unit)) this.linked.push(unit);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        info.report(error.message);
      }
    }
  }

  /** Variables, or types rather complete than only declared. */
  named(kind: NamedKind, name: string): readonly NamedEntry[] {
    const found = this.found[kind].get(name);
    return found ?? (kind === "type" ? this.declared.get(name) : undefined) ?? [];
  }

  names(kind: NamedKind): IterableIterator<string> {
    return this.found[kind].keys();
  }

  /** Units that may have code of a function of that name, inlined or its own. */
  unitsWithFunction(name: string): Unit[] {
    return [...new Set([...this.named("function", name).map(({ unit }) => unit), ...this.linked])];
  }

  private add(kind: NamedKind, name: string, entry: NamedEntry, isDeclaration: boolean): void {
    const index = isDeclaration && kind === "type" ? this.declared : this.found[kind];
    const same = index.get(name);
    if (same === undefined) index.set(name, [entry]);
    else if (same.length < MAX_SAME[kind]) same.push(entry);
  }
}

/** Whether inlined calls or functions of the unit have origins in another unit. */
function namesByOtherUnits(unit: Unit): boolean {
  for (const { tag, shapes } of unit.abbreviations.all()) {
    if (tag !== Tag.inlinedSubroutine && tag !== Tag.subprogram) continue;
    for (const { attribute, form } of shapes) {
      const isOrigin = attribute === At.abstractOrigin || attribute === At.specification;
      if (isOrigin && form === Form.refAddr) return true;
    }
  }
  return false;
}

class UnitScan {
  private readonly unit: Unit;
  private readonly strings: Map<number, string>;
  private readonly add: NameIndex["add"];
  private readonly plans = new Map<number, Plan>();
  /** Names of variables that are declared apart from where they are defined, by entry. */
  private readonly declarations = new Map<number, string>();
  private reader: Reader;
  // Of the entry just read:
  private name: string | undefined;
  private sibling = 0;
  private specification = 0;

  constructor(unit: Unit, strings: Map<number, string>, add: NameIndex["add"]) {
    this.unit = unit;
    this.strings = strings;
    this.add = add;
    this.reader = unit.entriesReader();
  }

  run(): void {
    const { reader } = this;
    if (!this.readEntry()?.abbreviation.hasChildren) return;
    // Levels of children that the reader is in, and how many of them are open to look-ups.
    let [depth, top] = [1, 1];
    while (depth > 0 && !reader.atEnd) {
      const offset = reader.position;
      const plan = this.readEntry();
      if (!plan) {
        if (depth === top && top > 1) top--;
        depth--;
        continue;
      }
      if (depth === top) this.keep(plan, offset);
      if (!plan.abbreviation.hasChildren) continue;
      if (this.sibling > reader.position && !plan.isOpen) {
        if (this.sibling > reader.end) throw reader.error("sibling outside the unit");
        reader.position = this.sibling;
      } else {
        if (depth === top && plan.isOpen) top++;
        depth++;
      }
    }
  }

  private keep({ kind, isDeclaration }: Plan, offset: number): void {
    if (kind === undefined) return;
    const { unit } = this;
    const name = this.name ?? this.declarations.get(this.specification);
    if (name === undefined) return;
    if (isDeclaration && kind === "variable") this.declarations.set(offset, name);
    else if (!isDeclaration || kind === "type") {
      this.add(kind, name, { unit, offset }, isDeclaration);
    }
  }

  /** Undefined for a null entry. */
  private readEntry(): Plan | undefined {
    const { reader, unit } = this;
    const code = reader.uleb();
    if (code === 0) return undefined;
    const plan = this.plans.get(code) ?? this.plan(code);
    this.name = undefined;
    this.sibling = 0;
    this.specification = 0;
    const { header } = unit;
    for (const { attribute, form, implicit } of plan.abbreviation.shapes) {
      if (attribute === At.sibling && form === Form.ref4) {
        this.sibling = header.unitOffset + reader.u32();
      } else if (plan.kind === undefined) skipForm(reader, form, header);
      else if (attribute === At.name) this.name = this.readName(form, implicit);
      else if (attribute === At.specification) {
        const value = readForm(reader, form, implicit, header);
        if (value.kind === "reference") this.specification = value.value;
      } else skipForm(reader, form, header);
    }
    return plan;
  }

  private plan(code: number): Plan {
    const abbreviation = this.unit.abbreviations.get(code);
    if (!abbreviation) throw this.reader.error(`entry of unknown abbreviation ${code}`);
    const plan: Plan = {
      abbreviation,
      kind: KINDS[abbreviation.tag],
      isDeclaration: abbreviation.shapes.some(({ attribute }) => attribute === At.declaration),
      isOpen: abbreviation.tag === Tag.namespace || abbreviation.tag === Tag.enumerationType,
    };
    this.plans.set(code, plan);
    return plan;
  }

  /** Names of many entries are one string: each is decoded once. */
  private readName(form: number, implicit: bigint): string | undefined {
    const { reader, unit } = this;
    const { header } = unit;
    if (form !== Form.strp) {
      const value = readForm(reader, form, implicit, header);
      return value.kind === "index" ? unit.stringAt(value.value) : asString(value);
    }
    const offset = reader.offset(header.offsetSize);
    let name = this.strings.get(offset);
    if (name === undefined) {
      name = header.sections.open("strings", offset).string();
      this.strings.set(offset, name);
    }
    return name;
  }
}
