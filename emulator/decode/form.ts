/** A form: one row at one operand size, address size and addressing shape; the unit that is compiled. */

import type { Row } from "../instructions/row.ts";
import type { Encoding } from "./encoding.ts";
import type { Operand } from "./operands.ts";

/** A row with its notation parsed. */
export interface ParsedRow {
  readonly row: Row;
  readonly index: number;
  readonly encoding: Encoding;
  readonly operands: readonly Operand[];
}

/**
 * How the memory operand is addressed. "flat": 64-bit mode, 64-bit addresses, no FS or GS.
 * "segmented": everything else. "moffs": absolute offset in the immediate field.
 */
export type Addressing = "none" | "flat" | "segmented" | "moffs";

export interface Form {
  readonly id: number;
  readonly parsed: ParsedRow;
  readonly row: Row;
  readonly operandSize: 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  readonly long: boolean;
  readonly addressing: Addressing;
  readonly repeatPrefix: "none" | "REP" | "REPNE";
}

/** Gives every distinct form one number. */
export class FormTable {
  readonly forms: Form[] = [];
  private readonly byKey = new Map<number, Form>();

  get(wanted: Omit<Form, "id" | "row">): Form {
    const key =
      ((((wanted.parsed.index * 4 + Math.log2(wanted.operandSize)) * 4 +
        Math.log2(wanted.addressSize)) *
        2 +
        (wanted.long ? 1 : 0)) *
        4 +
        ["none", "flat", "segmented", "moffs"].indexOf(wanted.addressing)) *
        4 +
      ["none", "REP", "REPNE"].indexOf(wanted.repeatPrefix);
    const found = this.byKey.get(key);
    if (found !== undefined) return found;
    const form: Form = { ...wanted, id: this.forms.length, row: wanted.parsed.row };
    this.forms.push(form);
    this.byKey.set(key, form);
    return form;
  }
}
