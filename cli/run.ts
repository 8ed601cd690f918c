/** `minvisor run` and `minvisor record`: boot an image headless and report how it ended. */

import { readFileSync } from "node:fs";
import {
  ExitLedger,
  Guests,
  LoadError,
  loadKernel,
  Machine,
  type RecordingConfiguration,
  type RunResult,
} from "../emulator/index.ts";
import { BadInput } from "./bad-input.ts";
import { claimFile, EXIT_COLUMNS, formatOf, ledgerRows, writeTable } from "./exit-table.ts";
import type { RunOptions } from "./options.ts";
import { RecordingFile, type RecordOptions } from "./record.ts";
import { SerialOutput } from "./serial-output.ts";
import { printStatistics } from "./statistics.ts";
import { Status } from "./status.ts";

/** Instructions between looks at standard input and the awaited text. */
const TURN = 5_000_000;
const UNTIL = "until";
/** Bytes by which unimplemented opcodes are counted: prefixes, opcode and ModRM. */
const OPCODE_BYTES = 4;

function readImage(what: string, path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : (error as Error).message;
    throw new BadInput(`${what} ${path} cannot be read: ${why}`);
  }
}

/** How a run ended. */
type Ending = RunResult | { readonly reason: "interrupted"; readonly icount: number };

export function readConfiguration(options: RunOptions): RecordingConfiguration {
  return {
    kernel: { name: options.kernel, bytes: readImage("Kernel", options.kernel) },
    append: options.append,
    modules: options.modules.map(({ path, args }) => ({
      name: path,
      bytes: readImage("Module", path),
      args,
    })),
    ramBytes: options.memoryBytes,
  };
}

interface Run {
  readonly machine: Machine;
  readonly ledger: ExitLedger;
  readonly recording: RecordingFile | undefined;
  readonly outputs: readonly [SerialOutput, SerialOutput];
  readonly unimplemented: Map<string, number>;
}

function prepare(options: RunOptions, record: RecordOptions | undefined): Run {
  const machine = new Machine({ ramBytes: options.memoryBytes });
  const configuration = readConfiguration(options);
  machine.load(loadKernel(configuration));
  if (options.exits !== undefined) claimFile(options.exits);
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const outputs = [
    new SerialOutput(options.serial[0], options.until),
    new SerialOutput(options.serial[1], options.until),
  ] as const;
  const unimplemented = new Map<string, number>();
  machine.observe({
    name: UNTIL,
    on: {
      console: ({ source, byte }) => {
        const output = source === "com1" ? outputs[0] : source === "com2" ? outputs[1] : undefined;
        return output?.put(byte) === true ? "stop" : undefined;
      },
      unimplemented: ({ bytes }) => {
        const text = Buffer.from(bytes.slice(0, OPCODE_BYTES)).toString("hex");
        unimplemented.set(text, (unimplemented.get(text) ?? 0) + 1);
        return undefined;
      },
    },
  });
  const recording = record && new RecordingFile(machine, configuration, guests, ledger, record);
  return { machine, ledger, recording, outputs, unimplemented };
}

/** Sends what is typed to COM1. Returns what ends that. */
function forwardInput(machine: Machine, options: RunOptions): () => void {
  if (options.serial[0] !== "stdio" || !process.stdin.isTTY) return () => {};
  const { stdin } = process;
  const onData = (bytes: Buffer): void => {
    machine.enter({ kind: "serial", port: 0, bytes: new Uint8Array(bytes) });
  };
  stdin.on("data", onData);
  return () => {
    stdin.off("data", onData);
    stdin.pause();
  };
}

async function runToEnd(
  machine: Machine,
  maxInstructions: number,
  recording: RecordingFile | undefined,
): Promise<Ending> {
  const turn = Math.min(TURN, recording?.turn ?? TURN);
  for (;;) {
    const left = maxInstructions - machine.icount;
    if (left <= 0) return { reason: "budget" };
    const result = machine.run({ instructions: Math.min(left, turn) });
    recording?.keepUp();
    if (recording?.interrupted) return { reason: "interrupted", icount: machine.icount };
    if (result.reason === "budget") await new Promise((resume) => setImmediate(resume));
    else if (result.reason !== "idle" || result.forever) return result;
  }
}

/** What the result means: exit status, and a sentence unless all is well. */
function verdict(result: Ending, options: RunOptions): { status: number; text?: string } {
  switch (result.reason) {
    case "powerOff":
      return options.until === undefined
        ? { status: Status.done }
        : {
            status: Status.done,
            text: `The guest powered off before "${options.until}" was seen.`,
          };
    case "observer":
      return { status: Status.done };
    case "debugExit":
      return { status: result.status };
    case "reset":
      return { status: Status.shutdown, text: "The guest reset the machine." };
    case "shutdown":
      return {
        status: Status.shutdown,
        text: `The CPU shut down: ${result.faults.join(", then ")}.`,
      };
    case "notImplemented":
      return { status: Status.internal, text: `Not implemented: ${result.what}.` };
    case "idle":
      return { status: Status.budget, text: "The CPU halted and nothing can wake it." };
    case "interrupted":
      return {
        status: Status.interrupted,
        text: `Interrupted: the recording ends at icount ${result.icount}.`,
      };
    case "budget":
      return {
        status: Status.budget,
        text: `The budget of ${options.maxInstructions} instructions is used up.`,
      };
  }
}

/** Runs, and records if told to; returns the exit status. Throws BadInput. */
export async function run(options: RunOptions, record?: RecordOptions): Promise<number> {
  const started = process.cpuUsage();
  let prepared: Run;
  try {
    prepared = prepare(options, record);
  } catch (error) {
    if (error instanceof LoadError) throw new BadInput(error.message);
    throw error;
  }
  const { machine, ledger, recording, outputs, unimplemented } = prepared;
  const stopInput = forwardInput(machine, options);
  const result = await runToEnd(machine, options.maxInstructions, recording);
  stopInput();
  recording?.finish();
  for (const output of outputs) output.close();
  const { status, text } = verdict(result, options);
  if (text !== undefined) process.stderr.write(`minvisor: ${text}\n`);
  const { exits } = options;
  const format = exits === undefined ? undefined : formatOf(exits);
  if (exits !== undefined && format !== undefined) {
    writeTable(exits, format, EXIT_COLUMNS, ledgerRows(ledger.table));
  }
  if (options.stats) {
    const used = process.cpuUsage(started);
    const cpuSeconds = (used.user + used.system) / 1e6;
    printStatistics(machine, ledger.table, unimplemented, cpuSeconds, result);
  }
  if (options.stateHash) process.stdout.write(`state-hash ${machine.stateHash()}\n`);
  return status;
}
