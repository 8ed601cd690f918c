// All units of .debug_info, and the way from an offset or a signature to its entry.
import type { AbbreviationTable } from "./abbreviations.ts";
import type { Entry } from "./entry.ts";
import { FormatError } from "./reader.ts";
import type { DwarfSections } from "./sections.ts";
import { readUnitHeader, Unit, type UnitSection } from "./unit.ts";

const MAX_PROBLEMS = 100;

/**
 * The debugging information of one file. Damaged units are left out (a unit whose tree is damaged
 * keeps the entries before the damage) and each is one sentence in `problems`.
 */
export class DebugInfo {
  readonly sections: DwarfSections;
  /** Of .debug_info, by offset. */
  readonly units: readonly Unit[];
  /** Of .debug_types, where DWARF 4 has its type units. */
  readonly typeUnits: readonly Unit[];
  private readonly reported = new Set<string>();
  private readonly tables = new Map<number, AbbreviationTable>();
  private signatures: Map<bigint, Unit> | undefined;

  constructor(sections: DwarfSections) {
    this.sections = sections;
    this.units = this.readUnits("info");
    this.typeUnits = this.readUnits("types");
  }

  get problems(): string[] {
    return [...this.reported];
  }

  /** Keeps what cannot be read, once, and of a file that is damaged all over not all of it. */
  report(problem: string): void {
    if (this.reported.size < MAX_PROBLEMS) this.reported.add(problem);
  }

  /** The entry at an offset of .debug_info, if one begins there. */
  entryAt(offset: number): Entry | undefined {
    let low = 0;
    let high = this.units.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.units[middle]!.header.unitOffset <= offset) low = middle + 1;
      else high = middle;
    }
    const unit = this.units[low - 1];
    return unit && offset < unit.header.end ? unit.entries.get(offset) : undefined;
  }

  /** The type of a type unit (DW_FORM_ref_sig8). */
  typeOfSignature(signature: bigint): Entry | undefined {
    if (!this.signatures) {
      this.signatures = new Map();
      for (const unit of [...this.typeUnits, ...this.units]) {
        if (unit.header.signature !== undefined) this.signatures.set(unit.header.signature, unit);
      }
    }
    const unit = this.signatures.get(signature);
    return unit?.entries.get(unit.header.typeOffset);
  }

  /** Units of one link often share an abbreviation table: each is read once. */
  abbreviationsAt(offset: number, read: () => AbbreviationTable): AbbreviationTable {
    const known = this.tables.get(offset);
    if (known) return known;
    const table = read();
    this.tables.set(offset, table);
    return table;
  }

  private readUnits(section: UnitSection): Unit[] {
    const units: Unit[] = [];
    if (this.sections.size(section) === 0) return units;
    const reader = this.sections.open(section);
    while (!reader.atEnd) {
      try {
        const header = readUnitHeader(reader, this.sections, section);
        this.attempt(() => units.push(new Unit(this, header)));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.report(error.message);
        break; // without a length there is no next unit
      }
    }
    return units;
  }

  private attempt(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.report(error.message);
    }
  }
}
