/** What changed since the matching earlier event: an element of `changes`. */
import { span } from "../evaluate/value.ts";
import { INTEGER, rangeOf } from "../language/types.ts";
import { defineRecord } from "./record.ts";

export interface ChangeFacts {
  readonly first: number;
  readonly bytes: number;
  readonly before: bigint;
  readonly after: bigint;
}

export const CHANGE = defineRecord<ChangeFacts>("Change", {
  doc: "Bytes of one aligned word of 8 that are not what they were at the matching earlier event.",
  isLive: false,
  same: (a, b) =>
    a.first === b.first && a.bytes === b.bytes && a.before === b.before && a.after === b.after,
  describe: ({ first, before, after }) =>
    `the change at hpa:0x${first.toString(16)} from 0x${before.toString(16)} to 0x${after.toString(16)}`,
  bytes: ({ first, bytes }) => ({ first, bytes, statusBits: 0n }),
  fields: {
    range: {
      type: rangeOf("hpa"),
      doc: "From the first byte of the word that differs to the last one.",
      read: ({ first, bytes }) => span("hpa", BigInt(first), BigInt(bytes)),
    },
    before: { type: INTEGER, doc: "What these bytes were.", read: ({ before }) => before },
    after: { type: INTEGER, doc: "What they are now.", read: ({ after }) => after },
  },
});
