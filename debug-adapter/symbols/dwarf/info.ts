// All units of .debug_info, and the way from an offset or a signature to its entry.
import type { Abbreviation } from "./abbreviations.ts";
import type { Entry } from "./entry.ts";
import { FormatError } from "./reader.ts";
import type { DwarfSections } from "./sections.ts";
import { readUnitHeader, Unit } from "./unit.ts";

/**
 * The debugging information of one file. Damaged units are left out (a unit whose tree is damaged
 * keeps the entries before the damage) and each is one sentence in `problems`.
 */
export class DebugInfo {
  readonly sections: DwarfSections;
  readonly units: readonly Unit[];
  readonly problems: string[] = [];
  private readonly tables = new Map<number, Map<number, Abbreviation>>();

  constructor(sections: DwarfSections) {
    this.sections = sections;
    this.units = this.readUnits();
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
    const unit = this.units.find((each) => each.header.signature === signature);
    return unit?.entries.get(unit.header.typeOffset);
  }

  /** Units of one link often share an abbreviation table: each is read once. */
  abbreviationsAt(offset: number, read: () => Map<number, Abbreviation>) {
    const known = this.tables.get(offset);
    if (known) return known;
    const table = read();
    this.tables.set(offset, table);
    return table;
  }

  private readUnits(): Unit[] {
    const units: Unit[] = [];
    if (this.sections.size("info") === 0) return units;
    const reader = this.sections.open("info");
    while (!reader.atEnd) {
      try {
        const header = readUnitHeader(reader, this.sections);
        this.attempt(() => units.push(new Unit(this, header)));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.problems.push(error.message);
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
      this.problems.push(error.message);
    }
  }
}
