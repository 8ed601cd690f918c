// Habits that a reader relies on: short files and functions, an opening sentence, nothing put off.
import { describe, expect, test } from "vitest";
import { longFunctions } from "./function-length.ts";
import { readSource, sourceFiles } from "./sources.ts";

const MAX_FILE_LINES = 800;
const WARN_FILE_LINES = 500;
const MAX_FUNCTION_LINES = 60;

/** Factories whose closures share their state; each line says why no part of it stands alone. */
const LONG_BY_NATURE = [
  "test/emulator/memory/reference-walk.ts", // one walk, read from top to bottom beside the manual
  "test/emulator/system/bare-machine.ts", // a machine of stubs: one object literal
];

const CODE = [".ts", ".mjs", ".c", ".h", ".S", ".sh", ".py"];

/** Words that put work off; written in two parts here, so that this file does not hold them. */
const PUT_OFF = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`);
const SKIPPED = /\b(?:describe|test|it|suite)\.(?:skip|only|todo|skipIf|runIf|fails)\b/;

const lineCount = (text: string): number => text.replace(/\n$/, "").split("\n").length;

/** Lines of the text that match, as "file:line: text". */
function linesWith(pattern: RegExp, file: string, text: string): string[] {
  return text
    .split("\n")
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => pattern.test(line))
    .map(({ line, number }) => `${file}:${number}: ${line.trim()}`);
}

/** Whether the file's first line, after a #! line, opens a comment that starts with a word. */
function hasOpeningSentence(text: string): boolean {
  const [first = "", second = "", third = ""] = text.split("\n");
  const lines = first.startsWith("#!") ? [second, third] : [first, second];
  const [opening, next] = lines as [string, string];
  if (/^\/\*\*?$/.test(opening)) return /^ \* \S/.test(next);
  return /^(?:\/\/|\/\*\*?|#|""")\s*\S+ \S/.test(opening) || /^"""\S/.test(opening);
}

describe("every source file", () => {
  const files = sourceFiles(CODE).map((file) => ({ file, text: readSource(file) }));

  test("there are source files", () => expect(files.length).toBeGreaterThan(200));

  test(`has at most ${MAX_FILE_LINES} lines`, () => {
    const over = (limit: number) =>
      files
        .filter(({ text }) => lineCount(text) > limit)
        .map(({ file, text }) => `${file}: ${lineCount(text)} lines`);
    for (const one of over(WARN_FILE_LINES)) console.warn(`long file: ${one}`);
    expect(over(MAX_FILE_LINES)).toEqual([]);
  });

  test("opens with a sentence that says what it is", () => {
    const without = files.filter(({ text }) => !hasOpeningSentence(text));
    expect(without.map(({ file }) => file)).toEqual([]);
  });

  test("puts nothing off", () => {
    expect(files.flatMap(({ file, text }) => linesWith(PUT_OFF, file, text))).toEqual([]);
  });

  test(`has no function over ${MAX_FUNCTION_LINES} lines`, () => {
    const long = files.flatMap(({ file, text }) =>
      LONG_BY_NATURE.includes(file)
        ? []
        : longFunctions(file, text, MAX_FUNCTION_LINES).map(
            ({ line, lines, start }) => `${file}:${line}: ${lines} lines: ${start}`,
          ),
    );
    expect(long).toEqual([]);
  });
});

test("no test is skipped, and none runs alone", () => {
  const tests = sourceFiles([".test.ts"]).filter((file) => !file.startsWith("test/tidy/"));
  expect(tests.flatMap((file) => linesWith(SKIPPED, file, readSource(file)))).toEqual([]);
});

/** No time, chance, input or output of its own: what makes runs repeat. */
const AMBIENT =
  /\b(?:Date\.now|new Date|Math\.random|performance\.|process\.|setTimeout|setInterval|queueMicrotask|crypto\.|console\.(?:log|warn|error))/;

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, (all) => all.replace(/[^\n]/g, "")).replace(/\/\/.*$/gm, "");

test("the machine reaches for no time, chance or output", () => {
  const files = sourceFiles([".ts"]).filter((file) => file.startsWith("emulator/"));
  const found = files.flatMap((file) =>
    linesWith(AMBIENT, file, withoutComments(readSource(file))),
  );
  expect(found).toEqual([]);
});

describe("the rules find what they are for", () => {
  const body = (lines: number, indentation = "  ") => `${indentation}x();\n`.repeat(lines);

  test("a long function, a method and a C function", () => {
    const long = (file: string, text: string) => longFunctions(file, text, 60).length;
    expect(long("a.ts", `export function f(): void {\n${body(60)}}\n`)).toBe(1);
    expect(
      long("a.ts", `class A {\n  m(a: {\n    b: 1;\n  }) {\n${body(60, "    ")}  }\n}\n`),
    ).toBe(1);
    expect(long("a.c", `static int f(void)\n{\n${body(60)}}\n`)).toBe(1);
    expect(long("a.ts", `function f() {\n${body(58)}}\n`)).toBe(0);
  });

  test("a missing opening sentence", () => {
    expect(hasOpeningSentence('import "x";\n')).toBe(false);
    expect(hasOpeningSentence("/** What it is. */\n")).toBe(true);
    expect(hasOpeningSentence("/**\n * What it is.\n */\n")).toBe(true);
    expect(hasOpeningSentence("#!/bin/sh\n# What it is.\n")).toBe(true);
  });

  test("put-off work, skipped tests and ambient time", () => {
    expect(linesWith(PUT_OFF, "a.ts", `// ${"TO" + "DO"}: later`)).toHaveLength(1);
    expect(linesWith(SKIPPED, "a.ts", `test.${"skip"}("x")`)).toHaveLength(1);
    expect(linesWith(AMBIENT, "a.ts", withoutComments("const t = Date.now(); // x"))).toHaveLength(
      1,
    );
    expect(linesWith(AMBIENT, "a.ts", withoutComments("// Date.now()"))).toHaveLength(0);
  });
});
