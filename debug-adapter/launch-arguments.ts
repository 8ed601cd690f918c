/** Checks launch attributes and brings them into the form that the debugger works with. */
import * as v from "valibot";
import type { RecordingConfiguration } from "../emulator/index.ts";
import {
  type AttachAttributes,
  INVARIANT_POLICIES,
  type InvariantPolicies,
  RECORDING_ATTRIBUTES,
  STEP_POLICIES,
  type StepPolicy,
} from "./protocol.ts";
import { parseInteger, UserError } from "./text.ts";

export interface ModuleArguments {
  readonly path: string;
  readonly args: string | undefined;
}

export interface LaunchConfiguration {
  readonly kernel: string;
  readonly append: string | undefined;
  readonly modules: readonly ModuleArguments[];
  readonly memoryBytes: number;
  readonly serial: readonly [com1: string, com2: string];
  readonly stopOnEntry: boolean;
  readonly invariants: boolean | readonly string[];
  /** Paths of .inv files beside those shipped. */
  readonly invariantFiles: readonly string[];
  readonly invariantPolicy: InvariantPolicies;
  readonly hypervisorMemory: readonly { readonly start: number; readonly end: number }[];
  readonly sourceMap: ReadonlyMap<string, string>;
  readonly symbols: readonly { readonly path: string; readonly world: "host" | "guest" }[];
  readonly cwd: string | undefined;
  readonly pacing: boolean;
  /** Whether the past can be had again, and the memory that its snapshots may use. */
  readonly recording: boolean;
  readonly recordingBytes: number;
  /** Where the run is recorded as it goes on. */
  readonly recordingFile: string | undefined;
  readonly stepPolicy: StepPolicy;
}

const MODULE = v.union([v.string(), v.object({ path: v.string(), args: v.optional(v.string()) })]);
const SYMBOLS = v.union([
  v.string(),
  v.object({ path: v.string(), world: v.optional(v.picklist(["host", "guest"])) }),
]);

/** What each attribute must be: its type, and the words for it. */
const ATTRIBUTES = {
  kernel: [v.pipe(v.string(), v.minLength(1)), "the path of a kernel image"],
  append: [v.optional(v.string()), "a text"],
  modules: [v.optional(v.array(MODULE)), 'an array of "FILE ARGS" or { path, args }'],
  memory: [v.optional(v.union([v.string(), v.number()])), 'a size such as "512M", or bytes'],
  serial: [
    v.optional(v.pipe(v.array(v.nullable(v.string())), v.maxLength(2))),
    'an array of at most two of "stdio", "null" and file paths',
  ],
  stopOnEntry: [v.optional(v.boolean()), "true or false"],
  invariants: [
    v.optional(v.union([v.boolean(), v.array(v.string())])),
    "true, false or an array of names",
  ],
  invariantFiles: [v.optional(v.array(v.string())), "an array of paths of .inv files"],
  invariantPolicy: [
    v.optional(v.record(v.string(), v.picklist(INVARIANT_POLICIES))),
    `an object of name: ${INVARIANT_POLICIES.join(" or ")}`,
  ],
  hypervisorMemory: [
    v.optional(v.array(v.string())),
    'an array of ranges such as "0x10000000-0x10400000"',
  ],
  sourceMap: [
    v.optional(
      v.pipe(
        v.unknown(),
        v.check((given) => !Array.isArray(given)),
        v.record(v.string(), v.string()),
      ),
    ),
    "an object of path: path",
  ],
  symbols: [v.optional(v.array(SYMBOLS)), "an array of ELF files or { path, world }"],
  cwd: [v.optional(v.string()), "a path"],
  pacing: [v.optional(v.boolean()), "true or false"],
  recording: [v.optional(v.boolean()), "true or false"],
  recordingMemory: [
    v.optional(v.union([v.string(), v.number()])),
    'a size such as "512M", or bytes',
  ],
  recordingFile: [v.optional(v.pipe(v.string(), v.minLength(1))), "a path"],
  stepPolicy: [v.optional(v.picklist(STEP_POLICIES)), STEP_POLICIES.join(" or ")],
} as const;

type Checked = {
  [N in keyof typeof ATTRIBUTES]: v.InferOutput<(typeof ATTRIBUTES)[N][0]>;
};

/** Throws a UserError of one sentence that names the attribute. */
export function readLaunchArguments(given: object): LaunchConfiguration {
  const attributes = given as Record<string, unknown>;
  const checked: Record<string, unknown> = {};
  for (const [name, [schema, expected]] of Object.entries(ATTRIBUTES)) {
    const result = v.safeParse(schema, attributes[name]);
    if (!result.success) {
      const found = attributes[name] === undefined ? "missing" : JSON.stringify(attributes[name]);
      throw new UserError(`Launch attribute "${name}" must be ${expected}; it is ${found}.`);
    }
    checked[name] = result.output;
  }
  return configuration(checked as Checked);
}

/** A recorded run as an attach configuration names it. */
export interface RecordedRunArguments {
  readonly file: string;
  readonly at: "start" | "end";
  readonly cwd: string | undefined;
  /** Attributes that a launch has too. */
  readonly shared: object;
}

/** Throws a UserError of one sentence that names the attribute. */
export function readRecordedRunArguments(given: AttachAttributes): RecordedRunArguments {
  const { recording, at = "end" } = given;
  if (typeof recording !== "string" || recording === "") {
    throw new UserError(
      `Attach attribute "recording" must be the path of a recording; it is ${JSON.stringify(recording)}.`,
    );
  }
  if (at !== "start" && at !== "end") {
    throw new UserError(
      `Attach attribute "at" must be "start" or "end"; it is ${JSON.stringify(at)}.`,
    );
  }
  const shared = Object.fromEntries(RECORDING_ATTRIBUTES.map((name) => [name, given[name]]));
  const { cwd } = readLaunchArguments({ ...shared, kernel: recording });
  return { file: recording, at, cwd, shared };
}

/** The launch configuration of the recorded run. */
export function recordedConfiguration(
  { shared }: RecordedRunArguments,
  { kernel, ramBytes }: RecordingConfiguration,
): LaunchConfiguration {
  return readLaunchArguments({ ...shared, kernel: kernel.name, memory: ramBytes });
}

function configuration(given: Checked): LaunchConfiguration {
  if (given.recording === false && given.recordingFile !== undefined) {
    throw new UserError('Launch attribute "recordingFile" needs "recording": it is false.');
  }
  return {
    kernel: given.kernel,
    append: given.append,
    modules: (given.modules ?? []).map(moduleArguments),
    memoryBytes: memoryBytes(given.memory ?? "512M"),
    serial: [given.serial?.[0] ?? "stdio", given.serial?.[1] ?? "null"],
    stopOnEntry: given.stopOnEntry ?? false,
    invariants: given.invariants ?? true,
    invariantFiles: given.invariantFiles ?? [],
    invariantPolicy: given.invariantPolicy ?? {},
    hypervisorMemory: (given.hypervisorMemory ?? []).map(memoryRange),
    sourceMap: new Map(Object.entries(given.sourceMap ?? {})),
    symbols: (given.symbols ?? []).map((each) =>
      typeof each === "string"
        ? { path: each, world: "guest" as const }
        : { path: each.path, world: each.world ?? "guest" },
    ),
    cwd: given.cwd,
    pacing: given.pacing ?? true,
    recording: given.recording ?? true,
    recordingBytes: memoryBytes(given.recordingMemory ?? "512M", "recordingMemory"),
    recordingFile: given.recordingFile,
    stepPolicy: given.stepPolicy ?? "sameWorld",
  };
}

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** "512M" in bytes. Throws a UserError. */
function memoryBytes(memory: string | number, attribute = "memory"): number {
  const text = String(memory).trim();
  const found = /^(0x[0-9a-f]+|[0-9]+)\s*([KMG]?)(?:i?B)?$/i.exec(text);
  const unit = UNITS[(found?.[2] ?? "").toUpperCase()];
  if (!found || unit === undefined) {
    throw new UserError(
      `Launch attribute "${attribute}" must be a size such as "512M", or bytes; it is ${JSON.stringify(memory)}.`,
    );
  }
  return Number(found[1]) * unit;
}

function memoryRange(text: string): { start: number; end: number } {
  const [start, end, more] = text.split("-").map((part) => parseInteger(part));
  if (start === undefined || end === undefined || more !== undefined || start >= end) {
    throw new UserError(
      `Launch attribute "hypervisorMemory" must hold ranges such as "0x10000000-0x10400000"; one is "${text}".`,
    );
  }
  return { start: Number(start), end: Number(end) };
}

/** "FILE ARGS", where a FILE with spaces is in quotes. Throws a UserError. */
export function moduleArguments(
  given: string | { readonly path: string; readonly args?: string | undefined },
): ModuleArguments {
  if (typeof given !== "string") return { path: given.path, args: given.args };
  const found = /^\s*(?:"([^"]+)"|'([^']+)'|([^\s"']\S*))(?:\s+([\s\S]*))?$/.exec(given);
  const path = found?.[1] ?? found?.[2] ?? found?.[3];
  if (path === undefined) {
    throw new UserError(
      `Launch attribute "modules" holds ${JSON.stringify(given)}, which names no file.`,
    );
  }
  const args = found?.[4]?.trim();
  return { path, args: args === "" ? undefined : args };
}
