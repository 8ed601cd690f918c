/** A recording as it was read: what a run starts from, what entered it, and by what it is checked. */
import type { ImageFile, ModuleFile } from "../loader/boot-image.ts";
import type { RecordedFutures } from "./futures.ts";
import type { LoggedInput } from "./input-log.ts";
import { compareInstants, type Instant, RESET } from "./instant.ts";
import { exitRow } from "./ledger.ts";
import { LedgerTable } from "./ledger-columns.ts";
import { RecordingError } from "./recording-bytes.ts";
import {
  type Codec,
  type Damage,
  LAYOUTS,
  type Part,
  type PartType,
  readParts,
} from "./recording-container.ts";
import { readFutures } from "./recording-futures.ts";
import { sha256 } from "./recording-hash.ts";
import {
  type ConfigurationPart,
  type Fork,
  type Mark,
  type RecordingConfiguration,
  readConfiguration,
  readFork,
  readImage,
  readInputs,
  readLedger,
  readMark,
} from "./recording-parts.ts";

import {
  type PagesPart,
  readPages,
  readSnapshot,
  type SnapshotPart,
} from "./recording-snapshots.ts";

/** An instant with the state hash that it must have. */
export interface Check {
  readonly at: Instant;
  readonly hash: string;
}

export interface Recording {
  readonly configuration: RecordingConfiguration;
  /** Up to `end`, in their order. */
  readonly inputs: readonly LoggedInput[];
  readonly checks: readonly Check[];
  /** Up to here the recording is complete. */
  readonly end: Instant;
  /** Finished exits, as far as they were written; undefined where the recording has none. */
  readonly ledger: LedgerTable | undefined;
  /** Those that were left, where they were written. */
  readonly futures: RecordedFutures | undefined;
  /** In their order; each goes on from one before it or from reset. */
  readonly snapshots: readonly SnapshotPart[];
  /** What is missing, in one sentence; undefined where the recording is whole. */
  readonly problem: string | undefined;
}

/** What the run can do without: where another version wrote it otherwise, it is passed over. */
const DISPENSABLE: ReadonlySet<PartType> = new Set(["LEDG", "PAGE", "SNAP", "FUTU"]);

const isPartType = (type: string): type is PartType => type in LAYOUTS;

/** What has been read of a file. */
class Reading {
  private configuration: ConfigurationPart | undefined;
  private readonly images = new Map<string, Uint8Array>();
  private readonly inputs: LoggedInput[] = [];
  private marks: Mark[] = [];
  /** Of the snapshot to come. */
  private readonly pages: PagesPart[] = [];
  private snapshots: SnapshotPart[] = [];
  private ledger: LedgerTable | undefined;
  private futures: RecordedFutures | undefined;
  /** Parts of another layout. */
  private readonly passedOver = new Set<PartType>();
  private isDone = false;

  /** Throws a RecordingError. */
  take({ type, layout, bytes }: Part): void {
    if (isPartType(type) && layout !== LAYOUTS[type]) {
      this.passedOver.add(type);
      if (DISPENSABLE.has(type)) return;
      throw new RecordingError(
        `has a part ${type} of layout ${layout}, and this version reads layout ${LAYOUTS[type]}: open it with the version that made it`,
      );
    }
    if (type === "CONF") this.configuration = readConfiguration(bytes);
    else if (type === "IMAG") this.takeImage(bytes);
    else if (type === "INPT") this.inputs.push(...readInputs(bytes));
    else if (type === "MARK" || type === "DONE") this.marks.push(readMark(bytes));
    else if (type === "FORK") this.takeBack(readFork(bytes));
    else if (type === "FUTU" && !this.passedOver.has("LEDG")) {
      this.futures = readFutures(bytes, this.inputs, this.ledger ?? new LedgerTable());
    } else if (type === "PAGE") this.pages.push(readPages(bytes));
    else if (type === "SNAP") {
      this.snapshots.push(readSnapshot(bytes, this.pages.splice(0), this.snapshots.length));
    } else if (type === "LEDG") {
      this.ledger ??= new LedgerTable();
      readLedger(bytes, this.ledger);
    }
    if (type === "DONE") this.isDone = true;
  }

  /** A fork is a mark too. */
  private takeBack({ at, inputs, rows }: Fork): void {
    const isLeft = (each: { readonly inputs: number }, then: Instant) =>
      each.inputs <= inputs && compareInstants(then, at) <= 0;
    this.marks = this.marks.filter((mark) => isLeft(mark, mark.at));
    this.snapshots = this.snapshots.filter((snapshot) => isLeft(snapshot, snapshot.state));
    this.pages.length = 0;
    this.inputs.splice(inputs);
    this.ledger?.goTo(rows);
    this.marks.push({ at, inputs });
  }

  private takeImage(part: Uint8Array): void {
    const image = readImage(part);
    if (sha256(image.bytes) !== image.sha256) {
      throw new RecordingError("holds an image that is not the one it says");
    }
    this.images.set(image.sha256, image.bytes);
  }

  result(damage: Damage | undefined): Recording {
    const configuration = this.started(damage);
    const last = this.marks.at(-1);
    const end = last?.at ?? RESET;
    if (this.ledger !== undefined) cutLedger(this.ledger, end);
    const inputs = this.inputs.slice(0, last?.inputs ?? 0);
    return {
      configuration,
      inputs,
      checks: this.marks.flatMap((mark) => checkOf(mark, inputs)),
      end,
      ledger: this.ledger,
      futures: this.futures,
      snapshots: this.snapshots.filter(({ state }) => compareInstants(state, end) <= 0),
      problem: this.problem(damage, end),
    };
  }

  private started(damage: Damage | undefined): RecordingConfiguration {
    const where = damage === undefined ? "ends" : `is ${damage.kind} at byte ${damage.at},`;
    const { configuration } = this;
    if (configuration === undefined) {
      throw new RecordingError(`${where} before its configuration: nothing of it can be replayed`);
    }
    const { kernel, modules, ramBytes, startTime, append } = configuration;
    const file = ({ name, sha256 }: { name: string; sha256: string }): ImageFile => {
      const bytes = this.images.get(sha256);
      if (bytes !== undefined) return { name, bytes };
      throw new RecordingError(`${where} before the image ${name}: nothing of it can be replayed`);
    };
    const moduleFile = (module: ConfigurationPart["kernel"]): ModuleFile =>
      module.args === undefined ? file(module) : { ...file(module), args: module.args };
    return {
      kernel: file(kernel),
      modules: modules.map(moduleFile),
      ramBytes,
      ...(startTime === undefined ? {} : { startTime }),
      ...(append === undefined ? {} : { append }),
    };
  }

  private problem(damage: Damage | undefined, end: Instant): string | undefined {
    const missing = `what came after icount ${end.icount} is missing`;
    if (damage !== undefined) {
      const what = this.isDone ? "the run is whole, of its snapshots some are missing" : missing;
      return `It is ${damage.kind} at byte ${damage.at}: ${what}.`;
    }
    return this.isDone ? undefined : `It was not brought to its end: ${missing}.`;
  }
}

/** Exits after the end were written before a mark that is missing. */
function cutLedger(ledger: LedgerTable, end: Instant): void {
  let length = ledger.length;
  while (length > 0 && compareInstants(exitRow(ledger, length - 1).at, end) > 0) length--;
  ledger.goTo(length);
}

/** A hash holds for the state before what entered later at the same instant. */
function checkOf({ at, hash, inputs: entered }: Mark, inputs: readonly LoggedInput[]): Check[] {
  const next = inputs[entered];
  const isPassed = next !== undefined && compareInstants(next.at, at) <= 0;
  return hash === undefined || isPassed ? [] : [{ at, hash }];
}

/**
 * Reads a file up to the first part that is damaged. Throws a RecordingError, worded to follow the
 * file's name, where not even a start of the run is left, or another version made it.
 */
export function readRecording(file: Uint8Array, codec: Codec): Recording {
  const reading = new Reading();
  const parts = readParts(file, codec);
  for (;;) {
    const { done, value } = parts.next();
    if (done) return reading.result(value);
    reading.take(value);
  }
}
