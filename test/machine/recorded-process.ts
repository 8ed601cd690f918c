// A program for several processes: `record FILE SEED` makes a recording and prints the states that it went
// through, `replay FILE` goes to the instants on standard input and prints what the states are there.
import { readFileSync, writeFileSync } from "node:fs";
import { deflate } from "../../debug-adapter/node/deflate.ts";
import { type Instant, machineOf, readRecording, timelineOf } from "../../emulator/index.ts";
import { recordSample } from "../emulator/time/recorded-run.ts";
import { drain } from "../emulator/time/sample-run.ts";

const [, , command, file = "", seed] = process.argv;
if (command === "record") {
  const run = recordSample(Number(seed));
  writeFileSync(file, run.file);
  console.log(JSON.stringify(run.seen));
} else {
  const recording = readRecording(new Uint8Array(readFileSync(file)), deflate);
  const timeline = timelineOf(machineOf(recording), recording, { denseInterval: 20_000 });
  const instants = JSON.parse(readFileSync(0, "utf8")) as Instant[];
  const hashes = instants.map((at) => {
    drain(timeline.seek(at));
    return timeline.machine.stateHash();
  });
  console.log(JSON.stringify(hashes));
}
