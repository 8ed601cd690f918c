// Builds everything: the bundles under dist/, MinVisor and our own guests.

import { chmodSync, copyFileSync, mkdirSync } from "node:fs";
import { pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import { LOADER } from "./lib/loader.mjs";
import { inRepository, repository } from "./lib/paths.mjs";
import { mustRun, runMain, Unusable } from "./lib/run.mjs";

const NODE_BUNDLE = {
  absWorkingDir: repository,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  sourcemap: "linked",
  sourcesContent: false,
  loader: LOADER,
  logLevel: "warning",
};

/** A page of a webview: its script and its style, or its style alone. */
function pageBundle(
  name,
  entryPoints = [`extension/${name}/${name}.ts`, `extension/${name}/${name}.css`],
) {
  return {
    ...NODE_BUNDLE,
    entryPoints,
    outdir: "dist",
    platform: "browser",
    target: "es2022",
    format: "iife",
    sourcemap: false,
  };
}

const BUNDLES = [
  {
    ...NODE_BUNDLE,
    entryPoints: ["cli/main.ts"],
    outfile: "dist/cli.cjs",
    banner: { js: "#!/usr/bin/env node" },
  },
  { ...NODE_BUNDLE, entryPoints: ["debug-adapter/node/main.ts"], outfile: "dist/adapter.cjs" },
  {
    ...NODE_BUNDLE,
    entryPoints: ["invariants/server/main.ts"],
    outfile: "dist/invariants-server.cjs",
  },
  {
    ...NODE_BUNDLE,
    entryPoints: ["extension/extension.ts"],
    outfile: "dist/extension.cjs",
    external: ["vscode"],
  },
  pageBundle("memory-page"),
  pageBundle("exits-page"),
  pageBundle("recording-page", ["extension/recordings/recording-page.css"]),
  // Nothing loads this one: that it bundles proves that the session uses nothing of Node.
  {
    ...NODE_BUNDLE,
    entryPoints: ["debug-adapter/session.ts"],
    outfile: "dist/session.browser.js",
    platform: "browser",
    format: "esm",
    sourcemap: false,
  },
];

/** iced-x86 reads its WebAssembly from a file beside the code that asks for it. */
function copyDisassembler() {
  const wasm = "iced_x86_bg.wasm";
  copyFileSync(inRepository("node_modules", "iced-x86", wasm), inRepository("dist", wasm));
}

async function bundleAll() {
  mkdirSync(inRepository("dist"), { recursive: true });
  const results = await Promise.allSettled(BUNDLES.map((options) => esbuild.build(options)));
  const failed = BUNDLES.filter((_, index) => results[index].status === "rejected");
  if (failed.length > 0)
    // esbuild has printed why
    throw new Unusable(
      `Not bundled: ${failed.map(({ outfile, entryPoints }) => outfile ?? entryPoints[0]).join(", ")}`,
    );
  copyDisassembler();
  chmodSync(inRepository("dist", "cli.cjs"), 0o755);
}

/** Builds what is out of date; the bundles always, as they take under a second. */
export async function build() {
  await bundleAll();
  await mustRun(process.execPath, [inRepository("scripts", "build-minvisor.mjs")]);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await runMain(build);
