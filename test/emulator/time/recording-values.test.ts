// Plain data comes back from a recording as it went in, and torn data is refused.
import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteReader, ByteWriter, RecordingError } from "../../../emulator/time/recording-bytes.ts";
import { readValue, writeValue } from "../../../emulator/time/recording-values.ts";

const seed = 1_914;

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, undefined, true, false, Number.POSITIVE_INFINITY, Number.NaN, -0),
    fc.double(),
    fc.bigInt(),
    fc.string({ unit: "binary" }),
    fc.uint8Array(),
    fc.array(tie("value")),
    fc.dictionary(fc.string(), tie("value")),
  ),
})).value;

const encoded = (value: unknown): Uint8Array => {
  const writer = new ByteWriter();
  writeValue(writer, value);
  return writer.done.slice();
};

test(`values of every type (seed ${seed})`, () => {
  fc.assert(
    fc.property(plain, (value) => {
      expect(readValue(new ByteReader(encoded(value)))).toEqual(value);
    }),
    { seed, numRuns: 300 },
  );
});

test(`numbers of up to 53 bits, of either sign (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      if (Math.abs(value) > 2 ** 51) return;
      const reader = new ByteReader(new ByteWriter().signed(value).number(Math.abs(value)).done);
      expect(reader.signed()).toBe(value);
      expect(reader.number()).toBe(Math.abs(value));
      expect(reader.left).toBe(0);
    }),
    { seed },
  );
});

test(`what is cut anywhere is refused (seed ${seed})`, () => {
  fc.assert(
    fc.property(plain, fc.nat(), (value, at) => {
      const bytes = encoded(value);
      const torn = bytes.subarray(0, at % bytes.length);
      expect(() => readValue(new ByteReader(torn))).toThrow(RecordingError);
    }),
    { seed, numRuns: 300 },
  );
});
