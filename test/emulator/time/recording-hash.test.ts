// The checksums of recordings against Node's own.

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { crc32, sha256 } from "../../../emulator/time/recording-hash.ts";
import { randomBelow } from "../../harness/random.ts";

const seed = 4_112;
/** The CRC-32 that gzip puts into its trailer (RFC 1952, section 2.3.1). */
const gzipCrc = (bytes: Uint8Array) => gzipSync(bytes).readUInt32LE(gzipSync(bytes).length - 8);

const random = randomBelow(seed);
const randomBytes = (length: number) => Uint8Array.from({ length }, () => random(256));
/** Both sides of every boundary of a block and its padding, and some long ones. */
const LENGTHS = [...Array.from({ length: 200 }, (_, n) => n), 4095, 4096, 100_003];

test(`SHA-256 of random bytes (seed ${seed})`, () => {
  for (const length of LENGTHS) {
    const bytes = randomBytes(length + 3).subarray(3);
    expect(sha256(bytes), `${length} bytes`).toBe(createHash("sha256").update(bytes).digest("hex"));
  }
});

test(`CRC-32 of random bytes, whole and in two pieces (seed ${seed})`, () => {
  for (const length of LENGTHS) {
    const bytes = randomBytes(length);
    const cut = random(length + 1);
    expect(crc32(bytes)).toBe(gzipCrc(bytes));
    expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(gzipCrc(bytes));
  }
});
