/**
 * Entry point of the adapter's own process: speaks the protocol on standard input and output. With
 * `--pipe PATH` it serves sessions on that local socket, says so in a line on standard output, and
 * ends when its standard input does. With `--describe FILE` it prints what is in a recording
 * (protocol/recordings.ts) and ends.
 */
import { rmSync } from "node:fs";
import type { DescribedRecording } from "../protocol/recordings.ts";
import { describeRecording } from "../recordings/recording-contents.ts";
import { messageOf } from "../text.ts";
import { deflate } from "./deflate.ts";
import { nodeFiles } from "./node-files.ts";
import { runAdapter } from "./run-adapter.ts";

const end = (): void => process.exit(0);
const [option, path] = process.argv.slice(2);

async function described(file: string): Promise<DescribedRecording> {
  try {
    return describeRecording(file, await nodeFiles.read(file), deflate);
  } catch (caught) {
    return { refused: messageOf(caught) };
  }
}

if (option === "--describe" && path !== undefined) {
  void described(path).then((answer) => console.log(JSON.stringify(answer)));
} else if (option === "--pipe" && path !== undefined) {
  process.on("exit", () => rmSync(path, { force: true }));
  process.stdin.on("end", end).on("close", end).resume();
  void runAdapter({ port: path, onListening: () => console.log(`listening on ${path}`) });
} else {
  void runAdapter().then(end);
}
