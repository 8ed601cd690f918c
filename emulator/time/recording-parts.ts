/** What stands in each part of a recording: configuration, images, inputs, marks, rows of the ledger. */
import type { Input } from "../inputs.ts";
import type { ImageFile, LoadOptions } from "../loader/boot-image.ts";
import { MACHINE_VERSION } from "../version.ts";
import type { LoggedInput } from "./input-log.ts";
import type { Instant } from "./instant.ts";
import {
  CHANGED_WORDS,
  CHUNK_ROWS,
  type LedgerTable,
  NUMBER_COLUMNS,
  WIDE_COLUMNS,
} from "./ledger-columns.ts";
import { ByteReader, ByteWriter, RecordingError } from "./recording-bytes.ts";

/** With the images, what a run starts from. */
export interface RecordingConfiguration extends LoadOptions {
  /** Unix seconds of the clock chip at tick 0; missing where it is the machine's own. */
  readonly startTime?: number;
}

/** Kernel and modules, in their order. */
export function imagesOf({ kernel, modules = [] }: RecordingConfiguration): readonly ImageFile[] {
  return [kernel, ...modules];
}

/** An image as the configuration names it. */
interface NamedImage {
  readonly name: string;
  readonly sha256: string;
  readonly args?: string;
}

/** The configuration part, as JSON. */
export interface ConfigurationPart {
  readonly machine: string;
  readonly ramBytes: number;
  readonly startTime?: number;
  readonly append?: string;
  readonly kernel: NamedImage;
  readonly modules: readonly NamedImage[];
}

/** An instant up to which everything is in the file, and perhaps the state hash there. */
export interface Mark {
  readonly at: Instant;
  /** Inputs that had entered. */
  readonly inputs: number;
  /** As Machine.stateHash gives it. */
  readonly hash?: string;
}

/** An instant from which the run went another way than what was written before this part. */
export interface Fork {
  readonly at: Instant;
  /** Inputs that are left, and rows of the ledger. */
  readonly inputs: number;
  readonly rows: number;
}

// ---- configuration ----

export function writeConfiguration(part: Omit<ConfigurationPart, "machine">): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ machine: MACHINE_VERSION, ...part }));
}

const isText = (value: unknown): value is string => typeof value === "string";
const isTextOrMissing = (value: unknown): boolean => value === undefined || isText(value);

function isNamedImage(value: unknown): value is NamedImage {
  const { name, sha256, args } = (value ?? {}) as Record<string, unknown>;
  return isText(name) && isText(sha256) && isTextOrMissing(args);
}

function isConfiguration(value: unknown): value is ConfigurationPart {
  const { ramBytes, startTime, append, kernel, modules } = (value ?? {}) as Record<string, unknown>;
  return (
    Number.isSafeInteger(ramBytes) &&
    (startTime === undefined || Number.isSafeInteger(startTime)) &&
    isTextOrMissing(append) &&
    isNamedImage(kernel) &&
    Array.isArray(modules) &&
    modules.every(isNamedImage)
  );
}

/** Throws a RecordingError, also for the recording of another version of the machine. */
export function readConfiguration(bytes: Uint8Array): ConfigurationPart {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new RecordingError("has a configuration that is no JSON");
  }
  const { machine } = (value ?? {}) as Record<string, unknown>;
  if (machine !== MACHINE_VERSION) {
    throw new RecordingError(
      `was made by machine version ${String(machine)}, and this is version ${MACHINE_VERSION}, which may run it otherwise: open it with the version that made it`,
    );
  }
  if (!isConfiguration(value)) throw new RecordingError("has an incomplete configuration");
  return value;
}

// ---- images ----

export interface ImagePart {
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

export function writeImage({ sha256, bytes }: ImagePart): Uint8Array {
  return new ByteWriter().text(sha256).bytes(bytes).done;
}

export function readImage(part: Uint8Array): ImagePart {
  const reader = new ByteReader(part);
  return { sha256: reader.text(), bytes: reader.bytes() };
}

// ---- inputs, marks and forks ----

export const writeInstant = (
  writer: ByteWriter,
  { icount, idleTicks, events }: Instant,
): ByteWriter => writer.number(icount).number(idleTicks).number(events);

export const readInstant = (reader: ByteReader): Instant => ({
  icount: reader.number(),
  idleTicks: reader.number(),
  events: reader.number(),
});

type InputOf<K extends Input["kind"]> = Input & { readonly kind: K };

/** How each kind of input stands in the file, and by which number it is known there. */
const INPUTS: {
  readonly [K in Input["kind"]]: {
    readonly number: number;
    readonly write: (writer: ByteWriter, input: InputOf<K>) => void;
    readonly read: (reader: ByteReader) => InputOf<K>;
  };
} = {
  serial: {
    number: 1,
    write: (writer, { port, bytes }) => writer.byte(port).bytes(bytes),
    read: (reader) => ({
      kind: "serial",
      port: reader.byte() === 0 ? 0 : 1,
      bytes: reader.bytes(),
    }),
  },
  memory: {
    number: 2,
    write: (writer, { address, bytes }) => writer.number(address).bytes(bytes),
    read: (reader) => ({ kind: "memory", address: reader.number(), bytes: reader.bytes() }),
  },
  cpu: {
    number: 3,
    write: (writer, { runs }) => {
      writer.number(runs.length);
      for (const { offset, bytes } of runs) writer.number(offset).bytes(bytes);
    },
    read: (reader) => ({
      kind: "cpu",
      runs: Array.from({ length: reader.number() }, () => ({
        offset: reader.number(),
        bytes: reader.bytes(),
      })),
    }),
  },
};

export function writeInputs(inputs: readonly LoggedInput[]): Uint8Array {
  const writer = new ByteWriter().number(inputs.length);
  for (const { at, input } of inputs) {
    const { number, write } = INPUTS[input.kind];
    writeInstant(writer, at).byte(number);
    (write as (writer: ByteWriter, input: Input) => void)(writer, input);
  }
  return writer.done;
}

export function readInputs(part: Uint8Array): LoggedInput[] {
  const reader = new ByteReader(part);
  const inputs: LoggedInput[] = [];
  for (let left = reader.number(); left > 0; left--) {
    const at = readInstant(reader);
    const number = reader.byte();
    const kind = Object.values(INPUTS).find((each) => each.number === number);
    if (kind === undefined) throw new RecordingError(`holds an input of unknown kind ${number}`);
    inputs.push({ at, input: kind.read(reader) });
  }
  return inputs;
}

export function writeMark({ at, inputs, hash }: Mark): Uint8Array {
  return writeInstant(new ByteWriter(), at)
    .number(inputs)
    .text(hash ?? "").done;
}

export function readMark(part: Uint8Array): Mark {
  const reader = new ByteReader(part);
  const mark = { at: readInstant(reader), inputs: reader.number() };
  const hash = reader.text();
  return hash === "" ? mark : { ...mark, hash };
}

export function writeFork({ at, inputs, rows }: Fork): Uint8Array {
  return writeInstant(new ByteWriter(), at).number(inputs).number(rows).done;
}

export function readFork(part: Uint8Array): Fork {
  const reader = new ByteReader(part);
  return { at: readInstant(reader), inputs: reader.number(), rows: reader.number() };
}

// ---- the ledger ----

/** Rows [from, to): numbers as the difference from the row before, a column after the other. */
export function writeLedger(table: LedgerTable, from: number, to: number): Uint8Array {
  const writer = new ByteWriter().number(from).number(to - from);
  for (const column of NUMBER_COLUMNS) {
    let before = 0;
    for (let row = from; row < to; row++) {
      const value = table.chunkOf(row)[column][row % CHUNK_ROWS] as number;
      writer.signed(value - before);
      before = value;
    }
  }
  for (const column of WIDE_COLUMNS) {
    for (let row = from; row < to; row++) {
      const { words } = table.chunkOf(row)[column];
      writer.number(words[2 * (row % CHUNK_ROWS)] as number);
      writer.number(words[2 * (row % CHUNK_ROWS) + 1] as number);
    }
  }
  for (let word = 0; word < CHANGED_WORDS; word++) {
    for (let row = from; row < to; row++) {
      const { changed } = table.chunkOf(row);
      writer.number(changed[(row % CHUNK_ROWS) * CHANGED_WORDS + word] as number);
    }
  }
  return writer.done;
}

/** Puts the rows behind those of the table. */
export function readLedger(part: Uint8Array, table: LedgerTable): void {
  const reader = new ByteReader(part);
  const [from, count] = [reader.number(), reader.number()];
  if (from !== table.length) throw new RecordingError("holds exits out of their order");
  if (count > reader.left) throw new RecordingError("holds fewer exits than it says");
  const to = from + count;
  for (let row = from; row < to; row++) table.add();
  for (const column of NUMBER_COLUMNS) {
    let value = 0;
    for (let row = from; row < to; row++) {
      value += reader.signed();
      table.chunkOf(row)[column][row % CHUNK_ROWS] = value;
    }
  }
  for (const column of WIDE_COLUMNS) {
    for (let row = from; row < to; row++) {
      const { words } = table.chunkOf(row)[column];
      words[2 * (row % CHUNK_ROWS)] = reader.number();
      words[2 * (row % CHUNK_ROWS) + 1] = reader.number();
    }
  }
  for (let word = 0; word < CHANGED_WORDS; word++) {
    for (let row = from; row < to; row++) {
      table.chunkOf(row).changed[(row % CHUNK_ROWS) * CHANGED_WORDS + word] = reader.number();
    }
  }
}
