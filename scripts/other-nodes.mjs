// Other versions of Node.js, under cache/other-nodes: their npm packages, by a lock file with their hashes.

import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { inRepository } from "./lib/paths.mjs";
import { mustRunQuietly, runMain, Unusable } from "./lib/run.mjs";

const FILES = ["package.json", "package-lock.json"];
const wanted = (name) => inRepository("test", "harness", "other-nodes", name);
const had = (...parts) => inRepository("cache", "other-nodes", ...parts);

/** npm writes its record of what it installed last of all. */
function isThere() {
  const files = [...FILES.map((name) => had(name)), had("node_modules", ".package-lock.json")];
  if (!files.every((file) => existsSync(file))) return false;
  return FILES.every((name) => readFileSync(had(name)).equals(readFileSync(wanted(name))));
}

/** Paths of their programs, by version; fetches what is missing. Throws Unusable. */
export function otherNodes() {
  if (!isThere()) {
    if (process.platform !== "linux" || process.arch !== "x64")
      throw new Unusable("Other versions of Node.js are fetched for Linux on x86-64 alone");
    mkdirSync(had(), { recursive: true });
    for (const name of FILES) copyFileSync(wanted(name), had(name));
    mustRunQuietly("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: had() });
  }
  const { packages } = JSON.parse(readFileSync(wanted("package-lock.json"), "utf8"));
  return Object.entries(packages)
    .filter(([path]) => path !== "")
    .map(([path, { version }]) => ({ version, path: had(path, "bin", "node") }));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await runMain(() => void otherNodes());
