/** "Did you mean": the known name that is nearest to one that was written. */

const MOST_NAMES = 20_000;

/** The nearest of the names within a third of the letters; undefined if none is. */
export function similarName(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  let count = 0;
  for (const each of names) {
    if (++count > MOST_NAMES) break;
    if (Math.abs(each.length - name.length) >= least) continue;
    const distance = editDistance(name.toLowerCase(), each.toLowerCase(), least);
    if (distance >= least) continue;
    least = distance;
    best = each;
  }
  return best;
}

/** Letters to insert, drop, replace or swap with the next; `limit` or more where there are so many. */
function editDistance(a: string, b: string, limit: number): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (before[j - 2] ?? limit) + 1 : limit;
      next.push(Math.min(replaced, swapped, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    if (Math.min(...next, ...row) >= limit) return limit;
    before = row;
    row = next;
  }
  return row[b.length] as number;
}
