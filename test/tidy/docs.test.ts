// What the pages for contributors name is there: each file, each folder and each npm script.
import { expect, test } from "vitest";
import { readSource, sourceFiles } from "./sources.ts";

const PAGES = ["ARCHITECTURE.md", "CONTRIBUTING.md", "debug-adapter/PROTOCOL.md"];

/** Made by the build. */
const BUILT = ["dist/", "minvisor/build/"];

const PATH = /`([\w./-]+(?:\.(?:ts|mjs|md|inv|lisp|c|S|h|sh)|\/))`/g;
const SCRIPT = /`npm (?:run )?([\w:]+)`/g;

/** Paths in the text that no file has, from any folder on: "a/b.ts" may be written "b.ts". */
function missingPaths(text: string, files: readonly string[]): string[] {
  const rooted = files.map((file) => `/${file}`);
  const isThere = (path: string) =>
    rooted.some((file) =>
      path.endsWith("/") ? file.includes(`/${path}`) : file.endsWith(`/${path}`),
    );
  const paths = [...text.matchAll(PATH)].map(([, path]) => path!);
  return paths.filter((path) => !BUILT.includes(path) && !isThere(path));
}

const missingScripts = (text: string, scripts: object): string[] =>
  [...text.matchAll(SCRIPT)]
    .map(([, name]) => name!)
    .filter((name) => !Object.hasOwn(scripts, name));

const files = sourceFiles([""]);

test.each(PAGES)("%s names only what there is", (page) => {
  const text = readSource(page);
  expect([...text.matchAll(PATH)].length).toBeGreaterThan(2);
  expect(missingPaths(text, files)).toEqual([]);
  expect(missingScripts(text, JSON.parse(readSource("package.json")).scripts)).toEqual([]);
});

test("a planted path and a planted script are found", () => {
  const text = "`a/b.ts`, `b.ts`, `a/`, `c.ts`, `b/`, `dist/`; `npm run gone`, `npm test`";
  expect(missingPaths(text, ["x/a/b.ts"])).toEqual(["c.ts", "b/"]);
  expect(missingScripts(text, { test: "" })).toEqual(["gone"]);
});
