// Recording, replaying and asking for exits from the command line, in processes that are killed too.

import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deflate } from "../../debug-adapter/node/deflate.ts";
import {
  loadKernel,
  Machine,
  machineOf,
  Recorder,
  readRecording,
  timelineOf,
} from "../../emulator/index.ts";
import { MINVISOR_ELF, SAMPLE_GUEST } from "../../scripts/build-minvisor.mjs";
import { drain } from "../emulator/time/sample-run.ts";
import { InProcessSession } from "../harness/in-process-session.ts";
import { randomBelow } from "../harness/random.ts";
import { Command } from "./command.ts";

const SAMPLE = ["--kernel", MINVISOR_ELF, "--module", SAMPLE_GUEST];
const NO_CONSOLE = ["--serial", "null"];

let command: Command;
let sample = "";
let withLedger = "";

beforeAll(() => {
  command = new Command();
  sample = command.path("sample.mvrec");
  withLedger = command.path("with-ledger.mvrec");
  const recorded = command.minvisor("record", ...SAMPLE, "-o", sample, "--check-interval", "5000");
  expect(recorded).toMatchObject({ status: 0, stderr: "" });
  command.minvisor("record", ...SAMPLE, ...NO_CONSOLE, "-o", withLedger, "--snapshots");
}, 120_000);
afterAll(() => command.dispose());

describe("a recorded run", () => {
  test("is replayed with its console, its end and its checks", () => {
    const run = command.run(...SAMPLE, "--state-hash");
    expect(command.minvisor("replay", sample, "--state-hash")).toEqual(run);
    const { status, stdout } = command.minvisor("replay", sample, "--check");
    expect(stdout).toMatch(/^\d{2,} checks hold up to icount \d+\n$/);
    expect(status).toBe(0);
  });

  test.each([1, 77_777])("is replayed up to icount %i as a run of that length", (icount) => {
    const limits = ["--max-instructions", `${icount}`, "--state-hash", ...NO_CONSOLE];
    const [hash] = /state-hash \w+/.exec(command.run(...SAMPLE, ...limits).stdout) ?? [];
    const until = ["--until-icount", `${icount}`, "--state-hash"];
    const { status, stdout } = command.minvisor("replay", sample, ...until);
    expect(status).toBe(0);
    expect(hash).toBeDefined();
    expect(stdout).toContain(hash);
  });

  const seed = 6_502;

  test(`is had again in another process at random instants (seed ${seed})`, () => {
    const random = randomBelow(seed);
    const recording = readRecording(new Uint8Array(readFileSync(sample)), deflate);
    const timeline = timelineOf(machineOf(recording), recording, { denseInterval: 20_000 });
    expect(recording.checks.length).toBeGreaterThan(20);
    for (let i = 0; i < 100; i++) {
      const { at, hash } = recording.checks[random(recording.checks.length)]!;
      drain(timeline.seek(at));
      expect(timeline.machine.stateHash(), JSON.stringify(at)).toBe(hash);
    }
  });
});

test("a recording that is not the run of its images ends with status 1 and where it diverges", () => {
  const guest = (text: string) => {
    const path = command.guest(`${text}.elf`, `mov $${text}, %eax\n1: inc %ebx\n jmp 1b`);
    return { name: "guest.elf", bytes: new Uint8Array(readFileSync(path)) };
  };
  const ramBytes = 4 * 2 ** 20;
  const machine = new Machine({ ramBytes });
  machine.load(loadKernel({ kernel: guest("1"), ramBytes }));
  const pieces: Uint8Array[] = [];
  const append = (bytes: Uint8Array) => {
    pieces.push(bytes);
  };
  const configuration = { kernel: guest("2"), ramBytes };
  const recorder = new Recorder(machine, { configuration, codec: deflate, append });
  machine.run({ instructions: 10_000 });
  recorder.finish();
  const file = command.file("other.mvrec", new Uint8Array(Buffer.concat(pieces)));
  expect(command.minvisor("replay", file, "--check")).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(
      /^minvisor: The replay is not the recorded run: it diverges .*\n$/,
    ),
  });
  expect(command.minvisor("exits", file).status).toBe(1);
});

test("with snapshots a debugger stands at the end at once, and knows what it would have seen", async () => {
  const session = new InProcessSession();
  await session.ask("initialize", { adapterID: "minvisor" });
  await session.ask("attach", { recording: withLedger, serial: ["null"] });
  const { debuggee, invariants } = session.session.loaded!;
  const { snapshots, endOfTime } = debuggee.timeline!;
  expect(snapshots.upTo(endOfTime).snapshot.icount).toBe(endOfTime.icount);
  const stopped = session.next("stopped");
  await session.ask("configurationDone");
  await stopped;
  const { state } = debuggee.machine;
  expect(debuggee.exits.last?.number).toBe(state.exitCount);
  const verdicts = invariants
    .status()
    .map(({ name, verdict, checks }) => [name, verdict, checks > 0]);
  expect(verdicts).toContainEqual(["npt_protects_hypervisor", "holds", true]);
  session.session.close();
});

describe("exits of a recording", () => {
  test("end quietly where their reader has seen enough", async () => {
    const listing = command.start("exits", withLedger);
    let said = "";
    listing.stderr?.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
    listing.stdout?.destroy();
    const [status] = await once(listing, "close");
    expect({ status, said }).toEqual({ status: 141, said: "" });
  });

  test("are the same from its ledger and from a replay, as text and in every format", async () => {
    const files = (name: string) =>
      ["json", "csv", "parquet"].flatMap((f) => [`--${f}`, command.path(`${name}.${f}`)]);
    const text = command.minvisor("exits", withLedger).stdout;
    expect(command.minvisor("exits", sample).stdout).toBe(text);
    expect(command.minvisor("exits", sample, ...files("a")).stdout).toBe("");
    const rows = JSON.parse(readFileSync(command.path("a.json"), "utf8")) as Record<
      string,
      string | number | null
    >[];
    expect(text.trimEnd().split("\n")).toHaveLength(rows.length + 1);
    const csv = readFileSync(command.path("a.csv"), "utf8").trimEnd().split("\n");
    expect(csv[0]).toBe(Object.keys(rows[0] ?? {}).join(","));
    const cells = (row: (typeof rows)[number]) => Object.values(row).map((cell) => cell ?? "");
    expect(csv.slice(1)).toEqual(rows.map((row) => cells(row).join(",")));
    const bytes = readFileSync(command.path("a.parquet"));
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    const read = await parquetReadObjects({ file: file as ArrayBuffer });
    const shown = read.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, cell]) => {
          if (typeof cell !== "bigint") return [name, cell ?? null];
          const isHex = typeof rows[0]?.[name] === "string";
          return [name, isHex ? `0x${cell.toString(16)}` : Number(cell)];
        }),
      ),
    );
    expect(shown).toEqual(rows);
  });

  test("are filtered and grouped", () => {
    const lines = (...args: string[]) => {
      const { stdout, status } = command.minvisor("exits", withLedger, ...args);
      expect(status).toBe(0);
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.trim().split(/ {2,}/));
    };
    const [header, ...groups] = lines("--group-by", "reason");
    expect(header).toEqual(["reason", "count", "costSum", "costMin", "costMax"]);
    for (const [reason = "", count, sum, min, max] of groups) {
      const [, ...rows] = lines("--where", `reason=${reason}`);
      expect(rows).toHaveLength(Number(count));
      const costs = rows
        .map((row) => row[10])
        .filter((cost) => cost !== "-")
        .map(Number);
      expect(costs.reduce((a, b) => a + b, 0)).toBe(Number(sum));
      if (costs.length === 0) continue;
      expect([Math.min(...costs), Math.max(...costs)]).toEqual([Number(min), Number(max)]);
    }
    const [, ...both] = lines("--where", "cost>300", "--where", "reason=NPF,IOIO,CPUID");
    expect(both.length).toBeGreaterThan(2);
    expect(both.every((row) => Number(row[10]) > 300)).toBe(true);
  });
});

describe("refused in one sentence", () => {
  test.each<[string, () => string[], RegExp]>([
    ["no file to record into", () => ["record", ...SAMPLE], /-o FILE\.mvrec is missing/],
    [
      "a folder that is none",
      () => ["record", ...SAMPLE, "-o", "/no/folder/x.mvrec"],
      /\/no\/folder/,
    ],
    ["no recording", () => ["replay"], /replay needs a recording/],
    ["two recordings", () => ["replay", "a", "b"], /takes one recording, not "b"/],
    ["a recording that is missing", () => ["replay", "/no/such.mvrec"], /no such file/],
    ["another file", () => ["replay", command.file("text", "hello")], /text is not a recording/],
    [
      "a comparison that is none",
      () => ["exits", sample, "--where", "cost~5"],
      /"cost~5" is no condition/,
    ],
    ["a reason that is none", () => ["exits", sample, "--where", "reason=FOO"], /"FOO" is no exit/],
    ["a group that is none", () => ["exits", sample, "--group-by", "day"], /"day" is not one of/],
    ["a file in no folder", () => ["exits", sample, "--csv", "/no/folder/x"], /\/no\/folder\/x/],
  ])("%s", (_, args, words) => {
    const { status, stderr } = command.minvisor(...args());
    expect(stderr).toMatch(words);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(status).toBe(2);
  });
});

test("Ctrl+C ends a recording process with a whole recording", async () => {
  const endless = command.guest("endless.elf", "1: inc %ebx\n mov %ebx, 0x200000\n jmp 1b");
  const file = command.path("interrupted.mvrec");
  const child = command.start("record", "--kernel", endless, "--memory", "4M", "-o", file);
  while (!existsSync(file) || statSync(file).size === 0) await sleep(10);
  await sleep(400);
  child.kill("SIGINT");
  const [status] = await once(child, "exit");
  expect(status).toBe(130);
  expect(command.minvisor("replay", file, "--check")).toMatchObject({ status: 0, stderr: "" });
});
