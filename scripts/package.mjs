// Packs the extension as a .vsix: adapter, emulator, MinVisor with its sources, the sample guest.

import { existsSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { bootstrap } from "./bootstrap.mjs";
import { inRepository } from "./lib/paths.mjs";
import { mustRunQuietly, runMain, Unusable } from "./lib/run.mjs";

/** Where the .vsix goes. */
function vsixPath() {
  const { name, version } = JSON.parse(readFileSync(inRepository("package.json"), "utf8"));
  return inRepository(`${name}-${version}.vsix`);
}

/** Packs what .vscodeignore lets through; the build must have been made. */
export function packageExtension(path = vsixPath()) {
  for (const needed of ["dist/extension.cjs", "dist/adapter.cjs", "minvisor/build/minvisor.elf"])
    if (!existsSync(inRepository(needed)))
      throw new Unusable(`${needed} is missing: run npm run build first`);
  const vsce = inRepository("node_modules", "@vscode", "vsce", "vsce");
  const flags = ["--no-dependencies", "--no-rewrite-relative-links", "--allow-missing-repository"];
  mustRunQuietly(process.execPath, [vsce, "package", ...flags, "--out", path]);
  return path;
}

async function main() {
  await bootstrap();
  console.log(packageExtension());
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await runMain(main);
