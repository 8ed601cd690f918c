// The host's stack at random instants is gdb's backtrace of the same registers and memory.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Debuggee } from "../../../debug-adapter/debuggee.ts";
import { worldFrames } from "../../../debug-adapter/stack.ts";
import { MINVISOR_ELF } from "../../../scripts/build-minvisor.mjs";
import { inRepository } from "../../harness/dap-adapter.ts";
import { loadSample } from "../../harness/loaded-debuggee.ts";
import { randomBelow, testSeed } from "../../harness/random.ts";
import { coreFile } from "./core-file.ts";

const SEED = testSeed();
const INSTANTS = 40;
/** MinVisor's image, tables and stack (minvisor/layout.h). */
const [MEMORY, MEMORY_BYTES] = [0x1000_0000n, 0x20_0000];

/** "handle_exit exit.c:37" of each frame with source, innermost first. */
function ourFrames(debuggee: Debuggee): string[] {
  return worldFrames(debuggee, "host", 100).flatMap(({ name, location }) =>
    location === undefined
      ? []
      : [`${name.replace(/\+0x\w+$/, "")} ${location.path.split("/").at(-1)}:${location.line}`],
  );
}

function gdbFrames(cores: readonly string[]): string[][] {
  const output = execFileSync(
    "gdb",
    [
      ...["-batch", "-nx", "-ex", "set print frame-arguments none", "-ex", "set width 0"],
      ...["-ex", `file ${inRepository(MINVISOR_ELF)}`],
      ...cores.flatMap((core) => {
        return [`core ${core}`, "echo STACK\\n", "bt 100", "echo END\\n"].flatMap((each) => [
          "-ex",
          each,
        ]);
      }),
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 120_000 },
  );
  return [...output.matchAll(/^STACK$(.*?)^END$/gms)].map(([, text = ""]) =>
    [...text.matchAll(/^#\d+ +(?:0x\w+ in )?(\S+) \(.*?\) at (\S+):(\d+)$/gm)].map(
      ([, name, path, line]) => `${name} ${path?.split("/").at(-1)}:${line}`,
    ),
  );
}

test(`at random instants in the host (seed ${SEED})`, async () => {
  const debuggee = await loadSample();
  const { machine } = debuggee;
  const folder = mkdtempSync(join(tmpdir(), "backtraces-"));
  try {
    const ours: string[][] = [];
    const cores: string[] = [];
    const random = randomBelow(SEED);
    while (ours.length < INSTANTS) {
      const instructions = 1 + random(12_000);
      const { reason } = machine.run({ instructions, idleTicks: 1e9 });
      if (reason !== "budget" && reason !== "observer") break;
      // Before MinVisor's own stack and page tables there is nothing to unwind.
      if (debuggee.world !== "host" || worldFrames(debuggee, "host", 2).length < 2) continue;
      const registers = debuggee.registers("host");
      const bytes = debuggee.readLinear("host", MEMORY, MEMORY_BYTES);
      const core = join(folder, `${ours.length}.core`);
      writeFileSync(
        core,
        coreFile((name) => registers?.get(name), { address: MEMORY, bytes }),
      );
      cores.push(core);
      ours.push(ourFrames(debuggee));
    }
    expect(ours.length).toBeGreaterThan(INSTANTS / 2);
    expect(Math.max(...ours.map((frames) => frames.length))).toBeGreaterThan(4);
    expect(ours).toEqual(gdbFrames(cores));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);
