// `npm run bench [PAIRS] [NAME...]`: bundles test/bench and runs it; build and guest:linux must have run.

import { spawnSync } from "node:child_process";
import { build } from "esbuild";
import { LOADER } from "./lib/loader.mjs";
import { inRepository } from "./lib/paths.mjs";

/** As deep as its sources, so that the bundle finds the scripts that it imports. */
const outfile = inRepository("dist", "bench", "main.mjs");
await build({
  entryPoints: [inRepository("test", "bench", "main.ts")],
  bundle: true,
  loader: LOADER,
  platform: "node",
  format: "esm",
  packages: "external",
  external: ["../../scripts/*"],
  outfile,
  logLevel: "warning",
});
const { status } = spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], {
  cwd: inRepository("."),
  stdio: "inherit",
});
process.exitCode = status ?? 1;
