/** The fields of machine state as one run of bytes, in table order: for snapshots and the state hash. */

import { CPU_FIELDS, type Field, type FieldName } from "./cpu-fields.ts";

const WIDTHS = { u8: 1, u16: 2, u32: 4, u64: 8, u128: 16, segment: 16, x87: 16 } as const;

/** Those of machine state, in table order. */
export const STATE_FIELDS = (Object.entries(CPU_FIELDS) as [FieldName, Field][])
  .filter(([, field]) => field.kind === "state")
  .map(([name, field]) => ({ name, offset: field.offset, width: WIDTHS[field.type] }));

const TOTAL = STATE_FIELDS.reduce((sum, { width }) => sum + width, 0);

/** The fields of the CPU whose state is at `base`. */
export function readFieldBytes(memory: WebAssembly.Memory, base: number): Uint8Array {
  const bytes = new Uint8Array(memory.buffer);
  const out = new Uint8Array(TOTAL);
  let at = 0;
  for (const { offset, width } of STATE_FIELDS) {
    out.set(bytes.subarray(base + offset, base + offset + width), at);
    at += width;
  }
  return out;
}

export function writeFieldBytes(memory: WebAssembly.Memory, base: number, from: Uint8Array): void {
  const bytes = new Uint8Array(memory.buffer);
  let at = 0;
  for (const { offset, width } of STATE_FIELDS) {
    bytes.set(from.subarray(at, at + width), base + offset);
    at += width;
  }
}

/** The fields that so many bytes from `first` on are of. */
export function fieldsAt(first: number, bytes: number): FieldName[] {
  const names: FieldName[] = [];
  let at = 0;
  for (const { name, width } of STATE_FIELDS) {
    if (at < first + bytes && first < at + width) names.push(name);
    at += width;
  }
  return names;
}
