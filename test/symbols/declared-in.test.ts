/** Which file declares a name, and in which line: the one that was compiled, or one that it includes. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ProgramSymbols } from "../../symbols/program.ts";
import { stripped } from "../../symbols/types.ts";

const folder = mkdtempSync(join(tmpdir(), "minvisor-declared-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FILES = {
  "table.h": "#define FILLER 3\n\nint from_header = FILLER;\n",
  "types.h": `typedef struct {
  int first;
  union {
    struct { int deep; };
    long wide;
  };
} table;
enum color {
  RED,
};
`,
  "label.S": '.globl label\n.text\nlabel:\n  ret\n.section .note.GNU-stack, ""\n',
  "body.inc": "{\n  int inside = length + from_header;\n  return inside;\n}\n",
  "main.c":
    '#include "table.h"\nint own;\nint main(int length)\n#include "body.inc"\n' +
    '#include "types.h"\ntable it;\nenum color shade;\n',
};

test.each([4, 5])("DWARF %i", (dwarf) => {
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  const path = join(folder, `main${dwarf}`);
  const flags = [
    `-gdwarf-${dwarf}`,
    "-O0",
    join(folder, "main.c"),
    join(folder, "label.S"),
    "-o",
    path,
  ];
  execFileSync("gcc", flags, { cwd: folder });
  const symbols = new ProgramSymbols(new Uint8Array(readFileSync(path)), path);
  const [main] = symbols.functionsNamed("main");
  const frame = symbols.framesAt(main?.body ?? 0n).at(-1);
  const locals = (name: string) => frame?.variables.filter((each) => each.name === name) ?? [];
  const declared = (name: string) =>
    [...symbols.globalsNamed(name), ...locals(name)].map(({ declaredIn, line }) => [
      declaredIn,
      line,
    ]);
  expect(declared("own")).toEqual([[join(folder, "main.c"), 2]]);
  expect(declared("from_header")).toEqual([[join(folder, "table.h"), 3]]);
  expect(declared("inside")).toEqual([[join(folder, "body.inc"), 2]]);
  expect(declared("length")).toEqual([[join(folder, "main.c"), 3]]);

  const typeOf = (name: string) => stripped(symbols.globalsNamed(name)[0]!.type);
  const inTypes = (line: number) => ({ path: join(folder, "types.h"), line });
  expect(symbols.declarationOf(typeOf("it"), "first")).toMatchObject(inTypes(2));
  expect(symbols.declarationOf(typeOf("it"), "deep")).toMatchObject(inTypes(4));
  expect(symbols.declarationOf(typeOf("it"), "none")).toBeUndefined();
  expect(symbols.declarationOf(symbols.typeNamed("table")!)).toMatchObject(inTypes(7));
  expect(symbols.declarationOf(typeOf("shade"))).toMatchObject(inTypes(8));
  expect(symbols.functionDeclaration("main")).toMatchObject({
    path: join(folder, "main.c"),
    line: 3,
  });
  expect(symbols.functionDeclaration("label")).toMatchObject({
    path: join(folder, "label.S"),
    line: 4,
  });
  expect(symbols.functionDeclaration("nowhere")).toBeUndefined();
});
