// Nothing is exported for nobody: a value that one file alone uses stays in that file.
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { readSource, sourceFiles } from "./sources.ts";

/** Called from outside the repository's imports: by VS Code, by vitest, by a dynamic import. */
const CALLED_FROM_OUTSIDE = [
  "extension/extension.ts: activate",
  "test/harness/build.ts: setup",
  "scripts/build.mjs: build",
  "scripts/lib/headless.mjs: runHeadless",
  "scripts/workbench.mjs: buildNativeModules",
];

const LIST = /^(?:import|export) (?:type )?(?:\w+, )?\{([^}]*)\} from "(\.[^"]+)";$/gm;
const WHOLE = /^(?:import \* as \w+|export \*) from "(\.[^"]+)";$/gm;
const DECLARED = /^export (?:async |abstract )?(?:const|let|function\*?|class) (\w+)/gm;

/** Names in the braces of an import or export: as they are called there and here. */
const namesIn = (braces: string): { there: string; here: string; isType: boolean }[] =>
  braces
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each)
    .map((each) => {
      const [there, here = there] = each.replace(/^type /, "").split(" as ");
      return { there: there!, here: here!, isType: each.startsWith("type ") };
    });

/** Exported values that no other file imports, not even as a type, as "file: name". */
function unused(files: ReadonlyMap<string, string>): string[] {
  const used = new Set<string>();
  const whole = new Set<string>();
  const exported: string[] = [];
  for (const [file, text] of files) {
    const path = (specifier: string) => normalize(join(dirname(file), specifier));
    for (const [statement, braces, from] of text.matchAll(LIST)) {
      for (const { there, here, isType } of namesIn(braces!)) {
        used.add(`${path(from!)}: ${there}`);
        if (statement.startsWith("export {") && !isType) exported.push(`${file}: ${here}`);
      }
    }
    for (const [, from] of text.matchAll(WHOLE)) whole.add(path(from!));
    for (const [, name] of text.matchAll(DECLARED)) exported.push(`${file}: ${name}`);
  }
  return exported.filter((each) => !used.has(each) && !whole.has(each.split(": ")[0]!));
}

test("every exported value is used by another file", () => {
  const files = sourceFiles([".ts", ".mjs"]).filter((file) => !file.endsWith(".d.ts"));
  const texts = new Map(files.map((file) => [file, readSource(file)]));
  expect(unused(texts).sort()).toEqual([...CALLED_FROM_OUTSIDE].sort());
});

test("planted values that nobody uses are found", () => {
  const planted = new Map([
    ["a/a.ts", 'import { used, type T } from "../b/b.ts";\n'],
    ["b/b.ts", "export const used = 1;\nexport function alone() {}\nexport type T = 1;\n"],
    ["b/index.ts", 'export { used as one } from "./b.ts";\n'],
    ["c.ts", "export class Whole {}\n"],
    ["d.ts", 'import * as c from "./c.ts";\n'],
  ]);
  expect(unused(planted)).toEqual(["b/b.ts: alone", "b/index.ts: one"]);
});
