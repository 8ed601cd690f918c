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

/** How the memory operand is addressed, if there is one; "moffs" is an absolute offset. */
export type Addressing = "none" | "modRm" | "moffs";

export interface Form {
  readonly id: number;
  readonly parsed: ParsedRow;
  readonly row: Row;
  readonly operandSize: 2 | 4 | 8;
  readonly addressSize: 2 | 4 | 8;
  readonly long: boolean;
  readonly addressing: Addressing;
  /** Segment bases count: always in legacy modes, in 64-bit mode only with FS or GS. */
  readonly based: boolean;
  readonly repeatPrefix: "none" | "REP" | "REPNE";
}

const ADDRESSINGS: readonly Addressing[] = ["none", "modRm", "moffs"];
const REPEATS = ["none", "REP", "REPNE"] as const;

/** Gives every distinct form one number. */
export class FormTable {
  readonly forms: Form[] = [];
  private readonly byKey = new Map<number, Form>();

  get(wanted: Omit<Form, "id" | "row">): Form {
    let key = wanted.parsed.index;
    key = key * 4 + Math.log2(wanted.operandSize);
    key = key * 4 + Math.log2(wanted.addressSize);
    key = key * 2 + (wanted.long ? 1 : 0);
    key = key * 2 + (wanted.based ? 1 : 0);
    key = key * 3 + ADDRESSINGS.indexOf(wanted.addressing);
    key = key * 3 + REPEATS.indexOf(wanted.repeatPrefix);
    const found = this.byKey.get(key);
    if (found !== undefined) return found;
    const form: Form = { ...wanted, id: this.forms.length, row: wanted.parsed.row };
    this.forms.push(form);
    this.byKey.set(key, form);
    return form;
  }
}
