// Who may import whom: the arrows of the architecture, held by a test.
import { expect, test } from "vitest";
import { importsOf, readSource, resolveImport, sourceFiles } from "./sources.ts";

/** For each folder, what its files may import; a pattern is matched against the resolved path. */
const MAY_IMPORT: Readonly<Record<string, readonly RegExp[]>> = {
  "emulator/": [/^emulator\//],
  "symbols/": [/^symbols\//],
  "invariants/": [/^invariants\//, /^symbols\//, /^emulator\//],
  "invariants/server/": [
    ...[/^invariants\//, /^symbols\//, /^emulator\//],
    ...[/^vscode-languageserver/, /^node:(?:fs|url)$/],
  ],
  "debug-adapter/": [
    /^debug-adapter\/(?!node\/)/,
    ...[/^invariants\//, /^symbols\//],
    /^emulator\//,
    /^valibot$/,
    /^@vscode\/debugprotocol$/,
  ],
  "debug-adapter/node/": [
    ...[/^debug-adapter\//, /^invariants\//, /^symbols\//, /^emulator\//, /^node:/],
    ...[/^@vscode\/debug(?:adapter|protocol)$/, /^iced-x86$/, /^valibot$/],
  ],
  "extension/": [
    ...[/^extension\//, /^debug-adapter\/protocol(?:\/exit-codes)?\.ts$/],
    /^invariants\/(?:shipped|server\/protocol)\.ts$/,
    ...[/^vscode$/, /^vscode-languageclient\/node$/, /^node:(?:child_process|crypto|fs|os|path)$/],
  ],
  "cli/": [
    ...[/^cli\//, /^debug-adapter\//, /^invariants\//, /^symbols\//, /^emulator\//, /^node:/],
    /^hyparquet-writer$/,
  ],
};

const rulesOf = (file: string): readonly RegExp[] | undefined => {
  const folders = Object.keys(MAY_IMPORT).filter((folder) => file.startsWith(folder));
  return MAY_IMPORT[folders.sort((a, b) => b.length - a.length)[0] ?? ""];
};

function breaches(file: string, text: string): string[] {
  const allowed = rulesOf(file);
  if (!allowed) return [];
  return importsOf(text)
    .map(({ specifier }) => resolveImport(file, specifier))
    .filter((target) => !allowed.some((pattern) => pattern.test(target)))
    .map((target) => `${file} imports ${target}`);
}

test("each folder imports only what it may", () => {
  const files = sourceFiles([".ts"]);
  expect(files.filter((file) => rulesOf(file)).length).toBeGreaterThan(100);
  expect(files.flatMap((file) => breaches(file, readSource(file)))).toEqual([]);
});

test.each([
  ["emulator/machine.ts", 'import { Session } from "../debug-adapter/session.ts";'],
  ["symbols/program.ts", 'import { messageOf } from "../debug-adapter/text.ts";'],
  ["emulator/memory/tlb.ts", 'import { readFileSync } from "node:fs";'],
  ["debug-adapter/session.ts", 'import type { Uri } from "vscode";'],
  ["debug-adapter/requests/launch.ts", 'import { files } from "../node/files.ts";'],
  ["extension/extension.ts", 'export * from "../debug-adapter/session.ts";'],
  ["invariants/check.ts", 'const session = await import("../debug-adapter/session.ts");'],
  ["cli/main.ts", 'import "../extension/extension.ts";'],
])("a planted import in %s is found", (file, text) => {
  expect(breaches(file, text)).toHaveLength(1);
});

/** Files on a cycle of imports that exist at run time, as "a -> b -> a"; one for each way back. */
function cycles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) found.push([...path.slice(start), file].join(" -> "));
    if (start >= 0 || done.has(file)) return;
    for (const next of imports.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return found;
}

test("no imports go round in a circle", () => {
  const graph = new Map(
    sourceFiles([".ts"])
      .filter((file) => rulesOf(file))
      .map((file) => {
        const targets = importsOf(readSource(file)).filter(({ typesOnly }) => !typesOnly);
        return [file, targets.map(({ specifier }) => resolveImport(file, specifier))];
      }),
  );
  expect(cycles(graph)).toEqual([]);
});

test("a planted circle is found", () => {
  const planted = new Map([
    ["a.ts", ["b.ts"]],
    ["b.ts", ["c.ts"]],
    ["c.ts", ["b.ts"]],
  ]);
  expect(cycles(planted)).toEqual(["b.ts -> c.ts -> b.ts"]);
});
