// Pages that were copied out of an image are found again, wherever they were cut.

import { expect, test } from "vitest";
import { PAGE_SIZE } from "../../../emulator/index.ts";
import { ImagePieces } from "../../../emulator/time/image-pieces.ts";
import { RecordingError } from "../../../emulator/time/recording-bytes.ts";
import { randomBelow } from "../../harness/random.ts";
import { drain } from "./sample-run.ts";

const seed = 7_411;
const random = randomBelow(seed);
/** With long fills, as images have. */
const image = (length: number) => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = at % 16_384 < 6_000 ? 0xcc : random(256);
  return bytes;
};
const images = [image(100_003), image(50_000), image(300)];
const pieces = new ImagePieces(images);

test(`pieces at distances of eight bytes are found and given back (seed ${seed})`, () => {
  const pages = Array.from({ length: 200 }, () => {
    const from = images[random(2)] as Uint8Array;
    const at = 8 * random((from.length - PAGE_SIZE) >> 3);
    return from.slice(at, at + PAGE_SIZE);
  });
  let found = 0;
  drain(pieces.find(pages)).forEach((offset, i) => {
    if (offset === undefined) return;
    found++;
    expect(pieces.at(offset)).toEqual(pages[i]);
  });
  // Fills are left to the compression.
  expect(found).toBeGreaterThan(100);
});

test("what is no piece is not found: other bytes, and a piece with one of them changed", () => {
  const other = Uint8Array.from({ length: PAGE_SIZE }, () => random(256));
  const changed = images[0]!.slice(8_000, 8_000 + PAGE_SIZE);
  changed[PAGE_SIZE - 1]! ^= 1;
  expect(drain(pieces.find([other, changed, new Uint8Array(PAGE_SIZE)]))).toEqual(
    Array(3).fill(undefined),
  );
});

test.each([97_000, 149_000, 150_100, 10 ** 9])("offset %i is refused", (offset) => {
  expect(() => pieces.at(offset)).toThrow(RecordingError);
});
