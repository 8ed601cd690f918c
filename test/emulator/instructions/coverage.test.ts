/** Every integer row has vectors from the host CPU, in every mode that it exists in. */

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { INTEGER_ROWS } from "../../../emulator/instructions/index.ts";
import { parseVectors, rowKey } from "../../harness/host-oracle/vector.ts";

const compressed = readFileSync(new URL("../../vectors/integer.txt.gz", import.meta.url));
const TEXT = gunzipSync(Uint8Array.from(compressed)).toString();

/** Fewest vectors that a row may have in a mode. */
const LEAST = { 64: 8, 32: 2, 16: 2 };

/** Rows that the host can only show to fault, and where the rest of them is tested. */
const FAULT_ONLY: Record<string, string> = {
  "CLI | FA | ": "needs CPL <= IOPL: test/emulator/system and the Linux boot",
  "STI | FB | ": "needs CPL <= IOPL: test/emulator/system and the Linux boot",
  "UD0 | 0F FF | ": "is an exception",
};

const vectors = parseVectors(TEXT);

it("records the CPU model and the seed", () => {
  expect(TEXT).toMatch(/^# Host CPU: \w+ .+\n# Seed: \d+\n/);
});

it("has vectors for every row", () => {
  const counts = new Map<string, number>();
  for (const { bits, row } of vectors) {
    counts.set(`${bits} ${row}`, (counts.get(`${bits} ${row}`) ?? 0) + 1);
  }
  const missing = INTEGER_ROWS.flatMap((row) =>
    ([64, 32, 16] as const)
      .filter((bits) => !(bits === 64 ? row.not64 : row.only64))
      .filter((bits) => (counts.get(`${bits} ${rowKey(row)}`) ?? 0) < LEAST[bits])
      .map((bits) => `${bits} ${rowKey(row)}`),
  );
  expect(missing).toEqual([]);
});

it("has vectors that complete for every row but those on the list", () => {
  const completed = new Set(vectors.filter((v) => v.exception === undefined).map((v) => v.row));
  const never = INTEGER_ROWS.map(rowKey).filter((key) => !completed.has(key));
  expect(never.sort()).toEqual(Object.keys(FAULT_ONLY).sort());
});
