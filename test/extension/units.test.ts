// Sizes and times in the unit that fits.
import { expect, test } from "vitest";
import { byteText, timeText } from "../../extension/units.ts";

test.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [1023, "1023 bytes"],
  [1024, "1 KiB"],
  [61_234, "59.8 KiB"],
  [1_048_575, "1024 KiB"],
  [512 * 2 ** 20, "512 MiB"],
  [33_300_000, "31.8 MiB"],
  [4 * 2 ** 30, "4 GiB"],
])("%i bytes are %s", (bytes, text) => {
  expect(byteText(bytes)).toBe(text);
});

test.each([
  [12, "12 ns"],
  [178_056, "178 µs"],
  [1_500_000, "1.5 ms"],
  [1_412_345_678, "1.41 s"],
  [61e9, "61 s"],
  [7200e9, "7200 s"],
])("%i nanoseconds are %s", (nanoseconds, text) => {
  expect(timeText(nanoseconds)).toBe(text);
});
