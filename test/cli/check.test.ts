/** `minvisor check`: verdicts, culprits, exit status and reports, of images and of recordings. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { culpritLine, elfOf } from "../invariants/boot.ts";
import { Command } from "./command.ts";

let command: Command;
beforeAll(() => {
  command = new Command();
});
afterAll(() => command.dispose());

const SAMPLE = ["--module", "test/guests/build/sample.bin"];
const check = (...args: string[]) => command.minvisor("check", ...args);

test("a clean run of MinVisor is status 0, and says what was never checked", () => {
  const junit = command.path("clean.xml");
  const { status, stdout, stderr } = check("--kernel", elfOf(), ...SAMPLE, "--junit", junit);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/^holds +npt_protects_hypervisor +checked [1-9]\d+ times$/m);
  expect(stdout).toMatch(/^never checked text_is_not_written/m);
  expect(stdout).toMatch(/Checked on this run;/);
  expect(status).toBe(0);
  const xml = readFileSync(junit, "utf8");
  const skipped = stdout.match(/^never checked /gm)?.length;
  expect(xml).toMatch(
    /<testsuite name="minvisor check" tests="\d+" failures="0" skipped="[1-9]\d*">/,
  );
  expect(xml).toContain(` skipped="${skipped}">`);
  expect(xml.match(/<testcase /g)?.length).toBe(stdout.match(/ times/g)?.length);
});

test("a seeded bug is status 1, with its line in SARIF and JUnit", () => {
  const [sarif, junit] = [command.path("bug.sarif"), command.path("bug.xml")];
  const bug = "wrong-region-size";
  const reports = ["--sarif", sarif, "--junit", junit];
  const { status, stdout } = check("--kernel", elfOf(bug), ...SAMPLE, ...reports);
  expect(status).toBe(1);
  const path = `test/seeded-bugs/${bug}/nested_pages.c`;
  const line = culpritLine(path);
  expect(stdout).toContain(`${path}:${line}: npt_protects_hypervisor is violated at icount `);
  const log = JSON.parse(readFileSync(sarif, "utf8"));
  expect(log.version).toBe("2.1.0");
  const [run] = log.runs;
  const result = run.results.find(
    ({ ruleId }: { ruleId: string }) => ruleId === "npt_protects_hypervisor",
  );
  expect(result.level).toBe("error");
  expect(result.locations[0].physicalLocation).toEqual({
    artifactLocation: { uri: path },
    region: { startLine: line },
  });
  expect(run.tool.driver.rules.map(({ id }: { id: string }) => id)).toContain(result.ruleId);
  expect(readFileSync(junit, "utf8")).toContain(`</failure>`);
});

test("a recording is checked as the run was; vacuous can be an error; files have their errors told", () => {
  const recording = command.path("run.mvrec");
  const kernel = ["--kernel", elfOf(), ...SAMPLE, "--serial", "null"];
  expect(command.minvisor("record", ...kernel, "-o", recording).status).toBe(0);
  const own = command.file("own.inv", 'invariant rip_is_low on vmrun "x" : cpu.rip < 4G;\n');
  const passed = check("--recording", recording, "--invariants", own);
  expect(passed.stdout).toMatch(/^holds +rip_is_low /m);
  expect(passed.status).toBe(0);
  expect(check("--recording", recording, "--no-vacuous").status).toBe(1);
  const bad = command.file("bad.inv", "invariant a on vmrun : cpu.rpi == 0;\n");
  const { status, stderr } = check("--recording", recording, "--invariants", bad);
  expect(status).toBe(2);
  expect(stderr).toContain(`${bad}:1:28: Cpu has no member rpi; did you mean r`);
  expect(check().stderr).toContain("--kernel FILE is missing");
  expect(check("--kernel", "x", "--recording", "y").status).toBe(2);
});
