// Mutated files are parsed, checked and formatted: no crash, no hang, nothing dropped without a word.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { check, format, parse } from "../../../invariants/language/index.ts";
import { lex } from "../../../invariants/language/lexer.ts";
import { BUILT_INS } from "../../../invariants/model/index.ts";
import { repository } from "../../tidy/sources.ts";

/** MINVISOR_FUZZ=100000 for the long run. */
const RUNS = Number(process.env.MINVISOR_FUZZ ?? 5000);
const SEED = 511;

const shipped = readFileSync(join(repository, "invariants/svm.inv"), "utf8");
const CORPUS = [
  ...shipped.split("\n\n").slice(1),
  `define low(m: Leaf) = m.gpa < 1M; // all of it
   invariant lows on exit(NPF) from reset "doc": old(exit.info2) != 0 => (exists m in
   npt(vmcb.nCR3).leaves if low(m) && m.gpa_range == gpa(0, 4K) : m.value & ~0xfff in {1, 2});`,
  `memory hv = 0x10000000..0x10400000, 2G..3G;
   define roots(all: list of Table, at: hpa range) "doc" = count(t in all if within(t.range, at));
   invariant one on npt_write, call map_page: let n = roots(npt(vmcb.nCR3).tables, hv.memory) :
   n == 1 ? written.after >> 12 != -$first : false;`,
];
const PIECES = [
  ...'()[]{};:,.=<>!&|^~*/%+-?$"\\@é\u{1f980}\n'.split(""),
  ...["invariant", "define", "memory", "forall x in", "let x =", "old(", "/*", "//", "..", "=>"],
  ...["0x", "1_", "9".repeat(400), "sizeof(", "if", "true", " source ", '"', "list of ", "->"],
];

const place = fc.double({ min: 0, max: 1, noNaN: true });
const mutation = fc.oneof(
  fc.record({ at: place, length: fc.nat(12), piece: fc.constant("") }),
  fc.record({ at: place, length: fc.constant(0), piece: fc.constantFrom(...PIECES) }),
  fc.record({ at: place, length: fc.nat(3), piece: fc.constantFrom(...PIECES, ...CORPUS) }),
);
const mutated = fc
  .tuple(fc.constantFrom(...CORPUS), fc.array(mutation, { minLength: 1, maxLength: 4 }))
  .map(([text, mutations]) =>
    mutations.reduce((whole, { at, length, piece }) => {
      const first = Math.floor(at * whole.length);
      return whole.slice(0, first) + piece + whole.slice(first + length);
    }, text),
  );

/** Whether a tree says that something is not there. */
const hasHole = (tree: unknown): boolean =>
  JSON.stringify(tree, (_, value) => (typeof value === "bigint" ? 0 : value)).match(
    /"kind":"missing"|"name":\{"text":""|"variable":\{"text":""/,
  ) !== null;

function judge(text: string): void {
  const { file, diagnostics } = parse(text);
  const [checked] = check([{ path: "a.inv", file, diagnostics }], BUILT_INS, undefined);
  for (const { start, end, message } of checked?.diagnostics ?? []) {
    expect(start >= 0 && start <= end && end <= text.length, message).toBe(true);
    expect(message).toMatch(/^[^\n]{8,}$/);
  }
  const errors = (checked?.diagnostics ?? []).filter(({ severity }) => severity === "error");
  const items = file.items.filter(({ kind }) => kind === "invariant");
  if (errors.length === 0) expect(checked?.invariants.length).toBe(items.length);
  if (diagnostics.length > 0) return;
  expect(hasHole(file)).toBe(false);
  const stray = lex(text).tokens.filter(
    ({ kind, start, end }) =>
      kind !== "end" && !file.items.some((item) => start >= item.start && end <= item.end),
  );
  expect(stray).toEqual([]);
  const formatted = format(text);
  expect(lex(formatted).tokens.map((each) => each.text)).toEqual(
    lex(text).tokens.map((each) => each.text),
  );
  expect(format(formatted)).toBe(formatted);
}

test(`${RUNS} mutated files, seed ${SEED}`, { timeout: 3_600_000 }, () => {
  fc.assert(fc.property(mutated, judge), { seed: SEED, numRuns: RUNS });
});

const inBody = (body: string): string => `invariant a on vmrun : ${body};`;
const numbered = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n");

test.each([
  ["brackets", inBody("(".repeat(20_000))],
  ["signs", inBody("!".repeat(20_000))],
  ["a chain of operators", inBody(`true${" && true".repeat(20_000)}`)],
  ["members", inBody(`vmcb${".a".repeat(20_000)}`)],
  ["conditionals", inBody("true ? 1 : ".repeat(20_000))],
  ["types", `define a(x: ${"list of ".repeat(20_000)}integer) = x;`],
  ["definitions of later ones", numbered(3000, (i) => `define d${i} = d${i + 1};`)],
  ["definitions of earlier ones", numbered(3000, (i) => `define d${i + 1} = d${i} + 1;`)],
  ["doubling definitions", numbered(60, (i) => `define d${i + 1} = d${i} + d${i};`)],
  ["signs that mean nothing", "@ ".repeat(5000)],
])("%s without bound are an error, in bounded time and stack", (_, text) => {
  judge(text);
  const { file, diagnostics } = parse(text);
  const [checked] = check([{ path: "a.inv", file, diagnostics }], BUILT_INS, undefined);
  expect(checked?.diagnostics.length).toBeGreaterThan(0);
});
