/** Sizes and times as they are shown: in the largest unit of which there is one, to three digits. */

const SIZES = [
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
] as const;

const TIMES = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
] as const;

/** "512 MiB". */
export const byteText = (bytes: number): string =>
  inUnits(bytes, SIZES, bytes === 1 ? "byte" : "bytes");

/** "1.41 s", of nanoseconds. */
export const timeText = (nanoseconds: number): string => inUnits(nanoseconds, TIMES, "ns");

const THREE_DIGITS = new Intl.NumberFormat("en-US", {
  maximumSignificantDigits: 3,
  useGrouping: false,
});

type Units = readonly (readonly [size: number, name: string])[];

function inUnits(amount: number, units: Units, smallest: string): string {
  const [size, name] = units.find(([each]) => amount >= each) ?? [1, smallest];
  const whole = Math.round(amount / size);
  return `${whole >= 1000 ? whole : THREE_DIGITS.format(amount / size)} ${name}`;
}
