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

/** A table by code, read as far as it was asked for: a unit's own entry needs the first alone. */
export class AbbreviationTable {
  private readonly reader: Reader;
  private readonly known = new Map<number, Abbreviation>();
  private isComplete = false;

  /** The table begins at the reader's position. */
  constructor(reader: Reader) {
    this.reader = reader;
  }

  /** Throws a FormatError where the table is damaged before that code. */
  get(code: number): Abbreviation | undefined {
    for (;;) {
      const found = this.known.get(code);
      if (found || this.isComplete) return found;
      this.readNext();
    }
  }

  all(): Iterable<Abbreviation> {
    while (!this.isComplete) this.readNext();
    return this.known.values();
  }

  private readNext(): void {
    const { reader } = this;
    const code = reader.atEnd ? 0 : reader.uleb();
    if (code === 0) {
      this.isComplete = true;
      return;
    }
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
    this.known.set(code, { tag, hasChildren, shapes });
  }
}
