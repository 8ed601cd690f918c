// `npm test`: sets the machine up, runs every part and says what passed, failed and was skipped.

import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { bootstrap } from "./bootstrap.mjs";
import { inRepository } from "./lib/paths.mjs";
import { run, runMain } from "./lib/run.mjs";

const bin = (name) => inRepository("node_modules", ".bin", name);
const script = (name) => inRepository("scripts", name);

/** One command that passes or fails as a whole. */
const single =
  (command, ...args) =>
  async (name) => {
    const passed = (await run(command, args)) === 0;
    return { passed: passed ? 1 : 0, failed: passed ? [] : [name], skipped: [] };
  };

/** A test that never gives control back cannot be timed out from inside. */
const LIMIT_MINUTES = 25;

/** One project of vitest.config.ts, counted by its tests. */
const project =
  (projectName, ...moreArguments) =>
  async (name) => {
    const report = inRepository("cache", `${projectName}-tests.json`);
    mkdirSync(inRepository("cache"), { recursive: true });
    rmSync(report, { force: true });
    const longRunning = inRepository("scripts", "lib", "long-running-reporter.mjs");
    const reporters = [
      ...["--reporter=default", `--reporter=${longRunning}`],
      ...["--reporter=json", `--outputFile.json=${report}`],
    ];
    const args = ["run", "--project", projectName, ...reporters, ...moreArguments];
    const status = await run(bin("vitest"), args, { limitMinutes: LIMIT_MINUTES });
    const counted = existsSync(report)
      ? countTests(JSON.parse(readFileSync(report, "utf8")))
      : NONE;
    // An error outside any test, or no report at all.
    if (status !== 0 && counted.failed.length === 0) return { ...counted, failed: [name] };
    return counted;
  };

const NONE = { passed: 0, failed: [], skipped: [] };

function countTests({ testResults }) {
  const tests = testResults.flatMap((file) => file.assertionResults);
  const names = (...states) =>
    tests.filter(({ status }) => states.includes(status)).map(({ fullName }) => fullName);
  const brokenFiles = testResults
    .filter((file) => file.status === "failed")
    .filter((file) => !file.assertionResults.some(({ status }) => status === "failed"))
    .map((file) => file.name);
  return {
    passed: names("passed").length,
    failed: [...names("failed"), ...brokenFiles],
    skipped: names("pending", "skipped", "todo", "disabled"),
  };
}

/** The quickest answers first. In the workbench each test goes on from the one before. */
const PARTS = [
  ["types", single(bin("tsc"))],
  ["memory page types", single(bin("tsc"), "-p", inRepository("extension", "memory-page"))],
  ["exits page types", single(bin("tsc"), "-p", inRepository("extension", "exits-page"))],
  ["lint", single(bin("biome"), "check")],
  ["guest:linux", single(process.execPath, script("guest-linux.mjs"))],
  ["other nodes", single(process.execPath, script("other-nodes.mjs"))],
  ["tests", project("tests")],
  ["workbench", project("workbench", "--bail=1", "--no-file-parallelism")],
];

function report(results) {
  console.log("");
  for (const { name, seconds, passed, failed, skipped } of results) {
    const verdict =
      failed.length > 0 ? "failed" : skipped.length > 0 ? "skipped in part" : "passed";
    console.log(`${name.padEnd(12)} ${verdict} (${passed} passed, ${seconds} s)`);
    for (const one of failed) console.log(`  failed: ${one}`);
    for (const one of skipped) console.log(`  skipped: ${one}`);
  }
}

async function main() {
  await bootstrap({ forTests: true });
  const results = [];
  for (const [name, runPart] of PARTS) {
    console.log(`\n--- ${name}`);
    const start = Date.now();
    const result = await runPart(name);
    results.push({ name, seconds: Math.round((Date.now() - start) / 1000), ...result });
  }
  report(results);
  const passed = results.reduce((total, result) => total + result.passed, 0);
  const failed = results.flatMap((result) => result.failed).length;
  const skipped = results.flatMap((result) => result.skipped).length;
  console.log(`\ntests: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 || (process.env.CI === "true" && skipped > 0) ? 1 : 0;
}

await runMain(main);
