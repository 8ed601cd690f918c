// A recording is the same run in every process, and under every version of Node.js.

import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Instant } from "../../emulator/index.ts";
import { LOADER } from "../../scripts/lib/loader.mjs";
import { otherNodes } from "../../scripts/other-nodes.mjs";
import { inRepository } from "../harness/dap-adapter.ts";
import { randomBelow } from "../harness/random.ts";

const seed = 26_012;
const others = otherNodes();
const ours = { version: process.versions.node, path: process.execPath };
/** As deep as its sources, so that the bundle finds the repository. */
const folder = inRepository("dist/recorded-process");
const program = join(folder, "main.mjs");
const recording = join(folder, "ours.mvrec");
let seen: readonly { readonly at: Instant; readonly hash: string }[];

function run(node: string, args: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(node, args, {
    input,
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (error !== undefined) throw error;
  expect(status, stderr).toBe(0);
  return stdout;
}

beforeAll(async () => {
  await build({
    absWorkingDir: inRepository("."),
    entryPoints: ["test/machine/recorded-process.ts"],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    external: ["../../scripts/*"],
    loader: LOADER,
    logLevel: "warning",
  });
  seen = JSON.parse(run(ours.path, [program, "record", recording, `${seed}`]));
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("there are other versions of Node.js", () => {
  const versions = others.map(({ path }) => run(path, ["--version"]).trim());
  expect(versions).toEqual(others.map(({ version }) => `v${version}`));
  expect(new Set([ours, ...others].map(({ version }) => version.split(".")[0])).size).toBe(3);
});

test.each([ours, ...others])(
  `a hundred random instants are the same in another process, of Node.js $version (seed ${seed})`,
  ({ path }) => {
    const random = randomBelow(seed);
    const chosen = Array.from({ length: 100 }, () => seen[random(seen.length)]!);
    const instants = JSON.stringify(chosen.map(({ at }) => at));
    const hashes = JSON.parse(run(path, [program, "replay", recording], instants));
    expect(hashes).toEqual(chosen.map(({ hash }) => hash));
    expect(new Set(hashes).size).toBeGreaterThan(50);
  },
);

test.each(others)("Node.js $version records the same run", ({ path, version }) => {
  const theirs = join(folder, `${version}.mvrec`);
  expect(JSON.parse(run(path, [program, "record", theirs, `${seed}`]))).toEqual(seen);
});
