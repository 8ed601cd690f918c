// The expression language: its grammar, its errors with positions, and its arithmetic.
import fc from "fast-check";
import { expect, test } from "vitest";
import { formatReference, parseReference } from "../../debug-adapter/addresses/memory-reference.ts";
import { BreakpointOptions } from "../../debug-adapter/breakpoints/options.ts";
import { evaluate, isTrue, type Names, numberOf } from "../../debug-adapter/expression/evaluate.ts";
import { ExpressionError } from "../../debug-adapter/expression/lexer.ts";
import { parse } from "../../debug-adapter/expression/parser.ts";
import { moduleArguments } from "../../debug-adapter/launch-arguments.ts";
import { UserError } from "../../debug-adapter/text.ts";
import { testSeed } from "../harness/random.ts";

const names: Names = {
  name: (name) =>
    ({
      reason: { text: "IOIO" },
      port: { number: 0x3f8n },
      in: { number: 0n },
    })[name],
  register: (name) => (name === "rax" ? { number: 7n } : undefined),
  memory: (_, address, size) => ({ number: address * 100n + BigInt(size) }),
};
const value = (text: string) => numberOf(evaluate(parse(text), names));
const holds = (text: string) => isTrue(evaluate(parse(text), names));

test("conditions on exits", () => {
  expect(holds('reason == "IOIO" && port == 0x3f8')).toBe(true);
  expect(holds("reason != 'MSR' && !in")).toBe(true);
  expect(holds('reason == "CPUID" || (port & 0xff8) == 0x3f8')).toBe(true);
  expect(holds("$rax >= 7 && $rax <= 7 && $rax < 8 && $rax > 6")).toBe(true);
  expect(holds('reason == "MSR" && nonesuch')).toBe(false);
});

test("precedence is C's", () => {
  expect(value("1 + 2 * 3")).toBe(7n);
  expect(value("1 | 2 ^ 3 & 4")).toBe(1n | (2n ^ (3n & 4n)));
  expect(value("1 << 2 + 1")).toBe(8n);
  expect(value("-1 - -1")).toBe(0n);
  expect(value("!0 + ~0")).toBe(0n);
  expect(value("1 ? 2 : 3 ? 4 : 5")).toBe(2n);
  expect(value("gpa:0x10 + @hpa(2, 4)")).toBe(0x10n * 100n + 8n + 204n);
});

test.each([
  ["", "the expression ends too early at position 1"],
  ["port ==", "the expression ends too early at position 8"],
  ["port == 0x3f8)", '")" is not expected at position 14'],
  ["(port", '")" expected instead of the end at position 6'],
  [
    "port = 1",
    '"=" would assign, which only the debug console does; write == to compare, at position 6',
  ],
  ["port += 1", '"+=" would assign, which only the debug console does, at position 6'],
  ["port++", '"++" would assign, which only the debug console does, at position 5'],
  ["f(1)", "a function of the program cannot be called, at position 2"],
  ["089", "a number that begins with 0 is octal and has digits up to 7 at position 1"],
  [`0x1${"0".repeat(32)}`, "a number of more than 128 bits at position 1"],
  ["unsigned float", '"unsigned" is a type, not a value, at position 1'],
  ["(unsigned float)1", '"unsigned float" is no type at position 2'],
  ["a ? b", '":" expected instead of the end at position 6'],
  ['reason == "IOIO', "a string without an end at position 11"],
  ["1x", '"x" does not belong to a number at position 2'],
  ["@hpa 1", '"(" expected instead of "1" at position 6'],
  ["a.(1)", "a member's name expected at position 3"],
])("%j does not parse, and the message names the position", (text, message) => {
  expect(() => parse(text)).toThrow(message);
});

const PIECES = [
  ...["a", "->", ".", "[", "]", "(", ")", "*", "&", "sizeof", "struct", "x", "int", "unsigned"],
  ...["1", "0x", "1e5", "'c'", "'", '"', "@gpa", "gpa:", "$rax", "?", ":", "=", "++", "<<=", ","],
  ...["img!", "::", " ", "-", "!", "~", "||", "\\", "const", "long", "{", "0b1", "9", "ul", "."],
];

test("any text parses or fails with a position", () => {
  const seed = testSeed();
  const text = fc.oneof(
    fc.stringMatching(/^[ -~]{0,30}$/),
    fc.array(fc.constantFrom(...PIECES), { maxLength: 25 }).map((pieces) => pieces.join("")),
    fc.string({ unit: "binary", maxLength: 20 }),
  );
  fc.assert(
    fc.property(text, fc.boolean(), (text, assignment) => {
      try {
        parse(text, { assignment });
      } catch (caught) {
        expect(caught).toBeInstanceOf(ExpressionError);
        expect((caught as Error).message).toMatch(/ at position \d+$/);
      }
    }),
    { seed, numRuns: 100_000 },
  );
}, 60_000);

test("what parses evaluates or fails with a sentence", () => {
  const seed = testSeed();
  const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((all) => all.join(""));
  let values = 0;
  fc.assert(
    fc.property(text, (text) => {
      try {
        evaluate(parse(text, { assignment: true }), names);
        values++;
      } catch (caught) {
        expect(caught).toBeInstanceOf(UserError);
      }
    }),
    { seed, numRuns: 50_000 },
  );
  expect(values).toBeGreaterThan(500);
}, 60_000);

test("long texts and deep nesting are refused, not followed", () => {
  expect(() => parse(" 1".repeat(6000))).toThrow(/at most 10000 characters at position/);
  expect(() => parse("1?".repeat(4000))).toThrow(/nested too deeply at position/);
  expect(() => parse("sizeof ".repeat(1000))).toThrow(/nested too deeply at position/);
  expect(() => parse(`(int${"(".repeat(4000)}`)).toThrow(/nested too deeply at position/);
  expect(() => parse("(".repeat(5000))).toThrow(/nested too deeply at position/);
  expect(() => parse(`${"-".repeat(5000)}1`)).toThrow(/nested too deeply at position/);
});

test.each([
  ["3", [3]],
  ["== 3", [3]],
  [">= 3", [3, 4, 5, 6]],
  ["> 3", [4, 5, 6]],
  ["< 3", [1, 2]],
  ["<= 3", [1, 2, 3]],
  ["!= 3", [1, 2, 4, 5, 6]],
  ["% 3", [3, 6]],
])("hit count %j", (hitCondition, stops) => {
  const options = new BreakpointOptions({ hitCondition });
  const reached = [1, 2, 3, 4, 5, 6].filter(() => options.reach(() => names).kind === "stop");
  const options2 = new BreakpointOptions({ hitCondition });
  const at = [1, 2, 3, 4, 5, 6].filter(() => options2.reach(() => names).kind === "stop");
  expect(at).toEqual(stops);
  expect(reached).toEqual(stops);
});

test("log messages show expressions, and say what failed", () => {
  const options = new BreakpointOptions({ logMessage: "port {port} of {nonesuch}." });
  expect(options.reach(() => names)).toEqual({
    kind: "log",
    text: "port 0x3f8 of <nonesuch is not known here>.",
  });
});

test("a condition that cannot be evaluated stops and says so", () => {
  const options = new BreakpointOptions({ condition: "nonesuch == 1" });
  expect(options.reach(() => names)).toMatchObject({
    kind: "stop",
    problem: expect.stringContaining("nonesuch"),
  });
});

test.each([
  ["hpa:0x1000", "hpa:0x1000"],
  ["0x10", "hva:0x10"],
  ["hva@0x9000:16", "hva@0x9000:0x10"],
  ["gpa@g2:0xffff_0000", "gpa@g2:0xffff0000"],
  ["gva@g1/0x1e0a000:0xffffffff81000000", "gva@g1/0x1e0a000:0xffffffff81000000"],
])("memory reference %s", (text, shown) => {
  expect(formatReference(parseReference(text, "hva"))).toBe(shown);
});

test.each([
  "",
  "xyz:1",
  "hpa@1:0",
  "gpa@g0:0",
  "gpa@g1/2:0",
  "gva@1:0",
  "hva:-1",
  "hva:0x1ffffffffffffffff",
])("%j is no memory reference", (text) =>
  expect(() => parseReference(text, "hva")).toThrow(/is no memory reference; write hpa:/),
);

test.each([
  ["vmlinuz console=ttyS0 quiet", "vmlinuz", "console=ttyS0 quiet"],
  ["initrd", "initrd", undefined],
  ['"a file with spaces" x  y', "a file with spaces", "x  y"],
  ["'single quoted'", "single quoted", undefined],
])("module %s", (text, path, args) => {
  expect(moduleArguments(text)).toEqual({ path, args });
});
