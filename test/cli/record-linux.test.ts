// A piece of Linux's boot, recorded by one process and had again at random instants by another.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deflate } from "../../debug-adapter/node/deflate.ts";
import { machineOf, readRecording, timelineOf } from "../../emulator/index.ts";
import { MINVISOR_ELF } from "../../scripts/build-minvisor.mjs";
import { INITRD_PATH, KERNEL_ARGUMENTS, KERNEL_PATH } from "../../scripts/guest-linux.mjs";
import { drain } from "../emulator/time/sample-run.ts";
import { makeGuests } from "../harness/linux-guest.ts";
import { randomBelow } from "../harness/random.ts";
import { Command } from "./command.ts";

const seed = 1_991;
let command: Command;
let file = "";

beforeAll(() => {
  makeGuests();
  command = new Command();
  file = command.path("linux.mvrec");
}, 300_000);
afterAll(() => command.dispose());

test(`the boot's first 60 million instructions (seed ${seed})`, () => {
  const { status } = command.minvisor(
    ...["record", "--kernel", MINVISOR_ELF, "--append", "intercept=io,msr,hlt,intr"],
    ...["--module", `${KERNEL_PATH} ${KERNEL_ARGUMENTS}`, "--module", INITRD_PATH],
    ...["--serial", "null", "--max-instructions", "60000000"],
    ...["-o", file, "--check-interval", "2000000"],
  );
  expect(status).toBe(6);
  const bytes = new Uint8Array(readFileSync(file));
  const recording = readRecording(bytes, deflate);
  expect(recording.problem).toBeUndefined();
  expect(recording.checks.length).toBeGreaterThan(25);
  const { kernel, modules = [] } = recording.configuration;
  const images = [kernel, ...modules].map((image) => deflate.compress(image.bytes).length);
  expect(bytes.length).toBeLessThan(images.reduce((a, b) => a + b) + 8_000);
  const random = randomBelow(seed);
  const timeline = timelineOf(machineOf(recording), recording);
  for (let i = 0; i < 12; i++) {
    const { at, hash } = recording.checks[random(recording.checks.length)]!;
    drain(timeline.seek(at));
    expect(timeline.machine.stateHash(), JSON.stringify(at)).toBe(hash);
  }
});
