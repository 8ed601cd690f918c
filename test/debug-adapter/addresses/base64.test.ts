// Base64 against Node's own.

import { expect, test } from "vitest";
import { fromBase64, toBase64 } from "../../../debug-adapter/base64.ts";
import { randomFraction } from "../../harness/random.ts";

test("every length up to 200, and back", () => {
  const next = randomFraction(1);
  for (let length = 0; length <= 200; length++) {
    const bytes = Uint8Array.from({ length }, () => Math.floor(next() * 256));
    const text = toBase64(bytes);
    expect(text).toBe(Buffer.from(bytes).toString("base64"));
    expect(fromBase64(text)).toEqual(bytes);
  }
});

test("what is not base64", () => {
  for (const text of ["A", "####", "AA=A", 7, null, undefined])
    expect(fromBase64(text)).toBeUndefined();
});
