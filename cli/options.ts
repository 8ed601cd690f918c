/** The options of the commands, parsed and checked. */

import { FilterError, GROUP_KEYS, type LedgerCondition, parseFilter } from "../emulator/index.ts";
import { BadInput } from "./bad-input.ts";
import type { CheckOptions } from "./check.ts";
import { formatOf } from "./exit-table.ts";
import type { ExitsOptions } from "./exits.ts";
import type { RecordOptions } from "./record.ts";
import type { ReplayOptions } from "./replay.ts";

/** Where a serial port's output goes: the terminal (and input from it), nowhere, or a file. */
export type SerialTarget = "stdio" | "null" | { readonly file: string };

export interface RunOptions {
  readonly kernel: string;
  readonly append: string;
  readonly modules: readonly { readonly path: string; readonly args: string }[];
  readonly memoryBytes: number;
  /** COM1, COM2. */
  readonly serial: readonly [SerialTarget, SerialTarget];
  readonly until: string | undefined;
  readonly maxInstructions: number;
  readonly exits: string | undefined;
  readonly stats: boolean;
  readonly stateHash: boolean;
}

const UNITS: Record<string, number> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** "512M", "1G", "65536K" or bytes. */
function parseMemory(text: string): number {
  const match = /^(\d+)([KMG]?)B?$/i.exec(text.trim());
  const unit = UNITS[match?.[2]?.toUpperCase() ?? "none"];
  if (match === null || unit === undefined) {
    throw new BadInput(`--memory "${text}" is not a size: give a number with K, M or G, as 512M`);
  }
  return Number(match[1]) * unit;
}

/** "FILE ARGS"; a path with spaces stands in quotes. */
function parseModule(text: string): { path: string; args: string } {
  const quoted = /^\s*(["'])(.*?)\1\s*(.*)$/s.exec(text);
  if (quoted !== null) return { path: quoted[2] ?? "", args: quoted[3] ?? "" };
  const plain = /^\s*(\S+)\s*(.*)$/s.exec(text);
  if (plain === null) throw new BadInput('--module is empty: give "FILE ARGS"');
  return { path: plain[1] ?? "", args: plain[2] ?? "" };
}

function parseSerial(text: string): SerialTarget {
  if (text === "stdio" || text === "null") return text;
  return { file: text };
}

function parseCount(option: string, value: string): number {
  const count = Number(value.replaceAll("_", ""));
  if (!Number.isSafeInteger(count) || count <= 0) {
    throw new BadInput(`--${option} "${value}" is not a positive whole number`);
  }
  return count;
}

/** A TCP port, or nothing. 0 lets the system choose. */
export function parsePort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (text === "" || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new BadInput(`--port "${text}" is not a port: give a number from 0 to 65535`);
  }
  return port;
}

function one(option: string, values: readonly string[] | undefined): string | undefined {
  if (values === undefined) return undefined;
  if (values.length > 1) throw new BadInput(`--${option} is given twice`);
  if (values[0] === "") throw new BadInput(`--${option} needs a value`);
  return values[0];
}

/** Values of the command line, each option as often as it was given. */
export interface RawRunOptions {
  readonly kernel?: string[];
  readonly append?: string[];
  readonly module?: string[];
  readonly memory?: string[];
  readonly serial?: string[];
  readonly until?: string[];
  readonly "max-instructions"?: string[];
  readonly exits?: string[];
  readonly stats?: boolean;
  readonly "state-hash"?: boolean;
}

/** From the raw values of the command line. Throws BadInput. */
export function parseRunOptions(raw: RawRunOptions): RunOptions {
  const kernel = one("kernel", raw.kernel);
  if (kernel === undefined) throw new BadInput("--kernel FILE is missing: name the image to boot");
  const serial = (raw.serial ?? []).map(parseSerial);
  if (serial.length > 2) throw new BadInput("--serial is given more than twice: COM1, then COM2");
  const exits = one("exits", raw.exits);
  if (exits !== undefined && formatOf(exits) === undefined) {
    throw new BadInput(`--exits "${exits}" must end in .json, .csv or .parquet`);
  }
  const limit = one("max-instructions", raw["max-instructions"]);
  return {
    kernel,
    append: one("append", raw.append) ?? "",
    modules: (raw.module ?? []).map(parseModule),
    memoryBytes: parseMemory(one("memory", raw.memory) ?? "512M"),
    serial: [serial[0] ?? "stdio", serial[1] ?? "null"],
    until: one("until", raw.until),
    maxInstructions:
      limit === undefined ? Number.MAX_SAFE_INTEGER : parseCount("max-instructions", limit),
    exits,
    stats: raw.stats === true,
    stateHash: raw["state-hash"] === true,
  };
}

/** Values of `record` beside those of `run`. */
export interface RawRecordOptions extends RawRunOptions {
  readonly output?: string[];
  readonly ledger?: boolean;
  readonly snapshots?: boolean;
  readonly "check-interval"?: string[];
}

export function parseRecordOptions(raw: RawRecordOptions): RecordOptions {
  const file = one("output", raw.output);
  if (file === undefined) throw new BadInput("-o FILE.mvrec is missing: name the recording");
  const interval = one("check-interval", raw["check-interval"]);
  return {
    file,
    ledger: raw.ledger === true || raw.snapshots === true,
    snapshots: raw.snapshots === true,
    checkInterval: interval === undefined ? undefined : parseCount("check-interval", interval),
  };
}

/** The one file that a command reads. */
function oneFile(command: string, positionals: readonly string[]): string {
  const [file, second] = positionals;
  if (file === undefined || file === "") {
    throw new BadInput(`${command} needs a recording: name a .mvrec file`);
  }
  if (second !== undefined)
    throw new BadInput(`${command} takes one recording, not "${second}" too`);
  return file;
}

export interface RawReplayOptions {
  readonly "until-icount"?: string[];
  readonly check?: boolean;
  readonly "state-hash"?: boolean;
}

export function parseReplayOptions(
  raw: RawReplayOptions,
  positionals: readonly string[],
): ReplayOptions {
  const until = one("until-icount", raw["until-icount"]);
  return {
    file: oneFile("replay", positionals),
    untilIcount: until === undefined ? undefined : parseCount("until-icount", until),
    check: raw.check === true,
    stateHash: raw["state-hash"] === true,
  };
}

/** Values of `check` beside those of `run`. */
export interface RawCheckOptions extends RawRunOptions {
  readonly recording?: string[];
  readonly invariants?: string[];
  readonly sarif?: string[];
  readonly junit?: string[];
  readonly "no-vacuous"?: boolean;
}

export function parseCheckOptions(raw: RawCheckOptions): CheckOptions {
  const recording = one("recording", raw.recording);
  if (recording !== undefined && raw.kernel !== undefined) {
    throw new BadInput("--kernel and --recording are both given: check one of them");
  }
  return {
    run: recording === undefined ? parseRunOptions(raw) : undefined,
    recording,
    invariants: raw.invariants ?? [],
    sarif: one("sarif", raw.sarif),
    junit: one("junit", raw.junit),
    vacuousIsError: raw["no-vacuous"] === true,
  };
}

export interface RawExitsOptions {
  readonly where?: string[];
  readonly "group-by"?: string[];
  readonly json?: string[];
  readonly csv?: string[];
  readonly parquet?: string[];
}

/** Conditions of one `--where`. Throws BadInput. */
function parseWhere(text: string): LedgerCondition[] {
  try {
    return parseFilter(text);
  } catch (error) {
    if (error instanceof FilterError) throw new BadInput(`--where ${error.message}`);
    throw error;
  }
}

export function parseExitsOptions(
  raw: RawExitsOptions,
  positionals: readonly string[],
): ExitsOptions {
  const group = one("group-by", raw["group-by"]);
  const groupBy = GROUP_KEYS.find((each) => each === group);
  if (group !== undefined && groupBy === undefined) {
    throw new BadInput(`--group-by "${group}" is not one of ${GROUP_KEYS.join(", ")}`);
  }
  const outputs = (["json", "csv", "parquet"] as const).flatMap((format) => {
    const file = one(format, raw[format]);
    return file === undefined ? [] : [{ format, file }];
  });
  const where = (raw.where ?? []).flatMap(parseWhere);
  return { file: oneFile("exits", positionals), where, groupBy, outputs };
}
