/** Opens a recording's file for the commands that read one. */
import { readFileSync } from "node:fs";
import { deflate } from "../debug-adapter/node/deflate.ts";
import {
  LoadError,
  type Machine,
  machineOf,
  type Recording,
  RecordingError,
  readRecording,
} from "../emulator/index.ts";
import { BadInput } from "./bad-input.ts";

/** Says on standard error what is missing. Throws BadInput. */
export function openRecording(file: string): Recording {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : (error as Error).message;
    throw new BadInput(`The recording ${file} cannot be read: ${why}`);
  }
  try {
    const recording = readRecording(bytes, deflate);
    const { problem } = recording;
    if (problem !== undefined) process.stderr.write(`minvisor: ${file}: ${problem}\n`);
    return recording;
  } catch (error) {
    if (error instanceof RecordingError) throw new BadInput(`${file} ${error.message}`);
    throw error;
  }
}

/** A machine at the first instruction of the recorded run. Throws BadInput. */
export function recordedMachine(recording: Recording): Machine {
  try {
    return machineOf(recording);
  } catch (error) {
    if (error instanceof LoadError) throw new BadInput(error.message);
    throw error;
  }
}
