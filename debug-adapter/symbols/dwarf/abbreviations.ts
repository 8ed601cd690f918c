// Reads abbreviation tables of .debug_abbrev: the shape of each kind of entry (section 7.5.3).
import { Form } from "./constants.ts";
import type { Reader } from "./reader.ts";

export interface AttributeShape {
  readonly attribute: number;
  readonly form: number;
  /** The value of DW_FORM_implicit_const, which is kept here and not in the entry. */
  readonly implicit: bigint;
}

export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly shapes: readonly AttributeShape[];
}

/** Reads the table that begins at the reader's position: abbreviation code -> shape. */
export function readAbbreviations(reader: Reader): Map<number, Abbreviation> {
  const table = new Map<number, Abbreviation>();
  for (;;) {
    const code = reader.atEnd ? 0 : reader.uleb();
    if (code === 0) return table;
    const tag = reader.uleb();
    const hasChildren = reader.u8() !== 0;
    const shapes: AttributeShape[] = [];
    for (;;) {
      const attribute = reader.uleb();
      const form = reader.uleb();
      if (attribute === 0 && form === 0) break;
      const implicit = form === Form.implicitConst ? reader.sleb64() : 0n;
      shapes.push({ attribute, form, implicit });
    }
    table.set(code, { tag, hasChildren, shapes });
  }
}
