/** `minvisor check`: runs an image or a recording and says which invariants held. */
import { readFileSync, writeFileSync } from "node:fs";
import {
  LoadError,
  type LoggedInput,
  lastAt,
  loadKernel,
  Machine,
  type RecordingConfiguration,
  type Timeline,
} from "../emulator/index.ts";
import {
  blame,
  checkRun,
  declaredIn,
  type LineAt,
  lineColumn,
  type Program,
  type RunToCheck,
  readInvariants,
  SHIPPED_INVARIANTS,
} from "../invariants/index.ts";

import { BadInput } from "./bad-input.ts";
import {
  type CheckResult,
  failures,
  junitReport,
  sarifReport,
  textReport,
} from "./check-report.ts";
import { openRecording } from "./open-recording.ts";
import type { RunOptions } from "./options.ts";
import { programOf } from "./program.ts";
import { readConfiguration } from "./run.ts";
import { SerialOutput } from "./serial-output.ts";
import { Status } from "./status.ts";

export interface CheckOptions {
  /** One of the two. */
  readonly run: RunOptions | undefined;
  readonly recording: string | undefined;
  readonly invariants: readonly string[];
  readonly sarif: string | undefined;
  readonly junit: string | undefined;
  readonly vacuousIsError: boolean;
}

/** What is run, and how long. */
interface Subject {
  readonly configuration: RecordingConfiguration;
  readonly inputs: readonly LoggedInput[];
  readonly maxInstructions: number;
  readonly until: string | undefined;
}

const TURN = 5_000_000;

function subjectOf({ run, recording }: CheckOptions): Subject {
  if (recording !== undefined) {
    const { configuration, inputs, end } = openRecording(recording);
    return { configuration, inputs, maxInstructions: end.icount, until: undefined };
  }
  if (run === undefined) throw new BadInput("check needs --kernel FILE or --recording FILE");
  const { maxInstructions, until } = run;
  return { configuration: readConfiguration(run), inputs: [], maxInstructions, until };
}

function machineOf({ configuration }: Subject): Machine {
  const { ramBytes, startTime } = configuration;
  try {
    const machine = new Machine({ ramBytes, ...(startTime === undefined ? {} : { startTime }) });
    machine.load(loadKernel(configuration));
    return machine;
  } catch (error) {
    if (error instanceof LoadError) throw new BadInput(error.message);
    throw error;
  }
}

/** Throws BadInput with every error of the files, a line each. */
function readFiles(paths: readonly string[], program: Program | undefined) {
  const own = paths.map((path) => {
    try {
      return { path, text: readFileSync(path, "utf8") };
    } catch (error) {
      throw new BadInput(`Invariants ${path} cannot be read: ${(error as Error).message}`);
    }
  });
  const files = readInvariants([...SHIPPED_INVARIANTS, ...own], program);
  const errors = files.flatMap(({ path, diagnostics }) => {
    const text = own.find((each) => each.path === path)?.text ?? "";
    return diagnostics
      .filter(({ severity }) => severity === "error")
      .map(({ start, message }) => {
        const { line, column } = lineColumn(text, start);
        return `${path}:${line}:${column}: ${message}`;
      });
  });
  if (errors.length > 0) throw new BadInput(errors.join("\n"));
  return files;
}

/** Until the text comes, the machine ends by itself, or so many instructions have run. */
function* untilEnd(timeline: Timeline, { maxInstructions, until }: Subject) {
  const { machine } = timeline;
  const outputs = { com1: new SerialOutput("null", until), com2: new SerialOutput("null", until) };
  machine.observe({
    name: "until",
    on: {
      console: ({ source, byte }) =>
        outputs[source as keyof typeof outputs]?.put(byte) === true ? "stop" : undefined,
    },
  });
  for (;;) {
    const left = maxInstructions - machine.icount;
    if (left <= 0) return;
    const result = timeline.run({ instructions: Math.min(left, TURN) });
    const goesOn = result.reason === "budget" || (result.reason === "idle" && !result.forever);
    if (!goesOn) return;
    yield { icount: machine.icount };
  }
}

function runOf(subject: Subject): RunToCheck {
  const { inputs, maxInstructions } = subject;
  return {
    makeMachine: () => machineOf(subject),
    inputs,
    end: lastAt(maxInstructions),
    play: (timeline) => untilEnd(timeline, subject),
  };
}

function checkSubject(subject: Subject, options: CheckOptions): CheckResult {
  const program = programOf(subject.configuration.kernel);
  const files = readFiles(options.invariants, program);
  const invariants = files.flatMap((file) => file.invariants);
  const declared = declaredIn(files);
  const search = checkRun(runOf(subject), {
    ...{ invariants, program },
    ...(declared === undefined ? {} : { hypervisorMemory: declared }),
  });
  const lineAt: LineAt = (world, rip) =>
    world === "host" ? program?.symbols.sourceAt(rip) : undefined;
  for (;;) {
    const { done, value } = search.next();
    if (!done) continue;
    const findings = value.findings.map(({ violation, culprit }) => {
      return { violation, ...blame(violation, culprit, lineAt) };
    });
    const { status } = value;
    return { invariants, status, findings, vacuousIsError: options.vacuousIsError };
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new BadInput(`The report ${path} cannot be written: ${(error as Error).message}`);
  }
}

/** Checks, writes the reports, and returns the exit status: 1 if an invariant failed. Throws BadInput. */
export function check(options: CheckOptions): number {
  const result = checkSubject(subjectOf(options), options);
  process.stdout.write(textReport(result));
  if (options.sarif !== undefined) write(options.sarif, sarifReport(result));
  if (options.junit !== undefined) write(options.junit, junitReport(result));
  return failures(result).length > 0 ? Status.violated : Status.done;
}
