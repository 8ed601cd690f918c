// The formatter keeps meaning and comments, and formats once for all.
import fc from "fast-check";
import { expect, test } from "vitest";
import { format, parse } from "../../../invariants/language/index.ts";
import { texts } from "./texts.ts";

const SEED = 20_261_128;

/** A tree without its places. */
function bare(tree: unknown): string {
  const drop = (key: string, value: unknown) => {
    if (key === "start" || key === "end") return undefined;
    return typeof value === "bigint" ? `${value}n` : value;
  };
  return JSON.stringify(tree, drop);
}

const comments = (text: string): string[] =>
  parse(text).comments.map(({ start, end }) => text.slice(start, end).trimEnd());

test("a formatted text parses to the same tree, has the same comments, and stays as it is", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const parsed = parse(text);
      expect(parsed.diagnostics).toEqual([]);
      const formatted = format(text);
      expect(bare(parse(formatted).file)).toBe(bare(parsed.file));
      expect(comments(formatted)).toEqual(comments(text));
      expect(format(formatted)).toBe(formatted);
    }),
    { seed: SEED, numRuns: 1000 },
  );
});

test("heads, bodies, comments and operators have one form", () => {
  const text = `//first
invariant   a on exit( NPF,CPUID ),vmrun after first vmrun "doc" source "APM" :forall m in npt( vmcb . nCR3 ).leaves if m.level==1:!bit(m.value,63)&&
(m.hpa&0xfff)== - 1 // why
; define d( p : integer ,q:list of Leaf)=$x->y[ 1 ]in{1,2};


/* block */ memory hv=0x1000 .. 2M ;`;
  expect(format(text)).toBe(`//first
invariant a on exit(NPF, CPUID), vmrun after first vmrun
  "doc"
  source "APM":
  forall m in npt(vmcb.nCR3).leaves if m.level == 1 : !bit(m.value, 63) &&
  (m.hpa & 0xfff) == -1 // why
  ;
define d(p: integer, q: list of Leaf) = $x->y[1] in {1, 2};

/* block */
memory hv = 0x1000..2M;
`);
});

test("a text with an error comes back as it is", () => {
  expect(format("invariant  a on vmrun : (1 ;")).toBe("invariant  a on vmrun : (1 ;");
});

test("lines behind a quantifier's colon and behind => stand deeper, those behind a let do not", () => {
  const text = `invariant a on vmrun:
  let n = 1 :
  forall x in l :
    x == n =>
      (x != 2 &&
        x != 3) =>
      true;
`;
  expect(format(text)).toBe(text);
  expect(format(text.replace(/\n +/g, "\n"))).toBe(text);
});
