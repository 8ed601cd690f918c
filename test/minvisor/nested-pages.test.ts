// The contract of MinVisor's nested-table builder: the calls that broke its ancestor are refused.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

const folder = mkdtempSync(join(tmpdir(), "nested-pages-"));
const harness = join(folder, "harness");

/** Where the tables of the harness lie: the protected range must hold them, as in MinVisor. */
const TABLES = 256 * MIB;

beforeAll(() => {
  execFileSync("gcc", [
    ...["-std=gnu11", "-O1", "-fno-builtin", "-no-pie", "-static", "-Wall", "-Werror"],
    ...["-Iminvisor", `-Wl,--section-start=.control=0x${TABLES.toString(16)}`, "-o", harness],
    ...["test/minvisor/nested-pages-harness.c", "minvisor/nested_pages.c"],
  ]);
});

afterAll(() => rmSync(folder, { recursive: true }));

function build(start: number, end: number, limit: number) {
  const words = [start, end, limit].map((address) => address.toString(16));
  const { status, stdout } = spawnSync(harness, words, { encoding: "utf8" });
  return { status, stdout };
}

test.each([
  ["MinVisor's own region", 256 * MIB, 260 * MIB, 4 * GIB],
  ["a region of one leaf", 256 * MIB, 258 * MIB, 4 * GIB],
  ["a region that ends at 1 GiB", 256 * MIB, GIB, 4 * GIB],
  ["a region that crosses 1 GiB", 256 * MIB, GIB + 2 * MIB, 4 * GIB],
  ["a region up to the mapped end", 256 * MIB, 4 * GIB, 4 * GIB],
  ["RAM above 4 GiB", 256 * MIB, 260 * MIB, 6 * GIB + 2 * MIB],
  ["the most memory", 256 * MIB, 260 * MIB, 64 * GIB],
])("maps all but %s", (_, start, end, limit) => {
  expect(build(start, end, limit)).toEqual({ status: 0, stdout: "0 wrong leaves" });
});

test.each([
  ["a size of 3 MiB", 256 * MIB, 259 * MIB, 4 * GIB, "not aligned to 2 MiB"],
  ["a start off by 1 MiB", 255 * MIB, 260 * MIB, 4 * GIB, "not aligned to 2 MiB"],
  ["a size of 64 KiB", 256 * MIB, 256 * MIB + 65536, 4 * GIB, "not aligned to 2 MiB"],
  ["an empty range", 256 * MIB, 256 * MIB, 4 * GIB, "is empty"],
  ["a range that ends before it starts", 260 * MIB, 256 * MIB, 4 * GIB, "is empty"],
  ["a range past the mapped end", 256 * MIB, 5 * GIB, 4 * GIB, "runs past the mapped end"],
  ["a limit that is no multiple of 2 MiB", 256 * MIB, 260 * MIB, 4 * GIB + MIB, "cannot map"],
  ["a limit beyond the tables", 256 * MIB, 260 * MIB, 64 * GIB + 2 * MIB, "cannot map"],
  ["tables outside of the range", 512 * MIB, 516 * MIB, 4 * GIB, "lie outside the protected"],
])("refuses %s", (_, start, end, limit, reason) => {
  const result = build(start, end, limit);
  expect(result.status).toBe(3);
  expect(result.stdout).toContain(reason);
});
