/** Sets of host-physical bytes as ranges: joined and compared. */

export interface AddressRange {
  readonly first: number;
  readonly bytes: number;
}

/** The same bytes as ascending ranges that neither overlap nor touch. */
export function joinRanges(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const joined: { first: number; bytes: number }[] = [];
  for (const { first, bytes } of [...ranges].sort((a, b) => a.first - b.first)) {
    const last = joined.at(-1);
    if (bytes <= 0) continue;
    if (last !== undefined && first <= last.first + last.bytes) {
      last.bytes = Math.max(last.bytes, first + bytes - last.first);
    } else joined.push({ first, bytes });
  }
  return joined;
}

export function sameRanges(a: readonly AddressRange[], b: readonly AddressRange[]): boolean {
  return (
    a.length === b.length && a.every((r, i) => r.first === b[i]?.first && r.bytes === b[i]?.bytes)
  );
}

/** Whether the range shares a byte with [first, first + bytes). */
export const overlaps = (range: AddressRange, first: number, bytes: number): boolean =>
  first < range.first + range.bytes && range.first < first + bytes;

/** The first of the ranges that shares a byte with [first, first + bytes). */
export function overlapping<R extends AddressRange>(
  ranges: readonly R[],
  first: number,
  bytes: number,
): R | undefined {
  return ranges.find((range) => overlaps(range, first, bytes));
}
