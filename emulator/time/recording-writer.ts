/** Writes the recording of a run as it goes on: an observer of what enters, and marks of how far it is. */
import type { ImageFile } from "../loader/boot-image.ts";
import type { Machine, Snapshot } from "../machine.ts";
import { InputLog } from "./input-log.ts";
import type { ExitLedger } from "./ledger.ts";
import { type Codec, ContainerWriter, type PartType } from "./recording-container.ts";
import { sha256 } from "./recording-hash.ts";
import {
  type Mark,
  type RecordingConfiguration,
  writeConfiguration,
  writeImage,
  writeInputs,
  writeLedger,
  writeMark,
} from "./recording-parts.ts";
import { writeSnapshot } from "./recording-snapshots.ts";
import type { Timeline } from "./timeline.ts";

export interface RecorderOptions {
  readonly configuration: RecordingConfiguration;
  /** Puts bytes behind those of the file. */
  readonly append: (bytes: Uint8Array) => void;
  readonly codec: Codec;
  /** Its finished rows are written too. */
  readonly ledger?: ExitLedger;
  /** Instructions between two marks: what a killed process loses at most. */
  readonly markInterval?: number;
  /** Instructions between two state hashes. */
  readonly checkInterval?: number;
  /** Instructions between two snapshots; none are written without it. */
  readonly snapshotInterval?: number;
}

const MARK_INTERVAL = 25_000_000;
const CHECK_INTERVAL = 100_000_000;

export class Recorder {
  private readonly machine: Machine;
  private readonly container: ContainerWriter;
  private readonly ledger: ExitLedger | undefined;
  private readonly markInterval: number;
  private readonly checkInterval: number;
  private readonly inputs = new InputLog();
  private readonly detach: () => void;
  private inputsWritten = 0;
  private rowsWritten = 0;
  private markedAt = 0;
  private checkedAt = 0;
  private readonly snapshotInterval: number;
  /** What the next snapshot is written against. */
  private snapshot: Snapshot | undefined;

  /** The machine stands at its reset with the images loaded. */
  constructor(machine: Machine, options: RecorderOptions) {
    this.machine = machine;
    this.container = new ContainerWriter(options.append, options.codec);
    this.ledger = options.ledger;
    this.markInterval = options.markInterval ?? MARK_INTERVAL;
    this.checkInterval = options.checkInterval ?? CHECK_INTERVAL;
    this.snapshotInterval = options.snapshotInterval ?? Number.POSITIVE_INFINITY;
    if (options.snapshotInterval !== undefined) this.snapshot = machine.snapshot();
    writeStart(this.container, options.configuration);
    this.mark("MARK", true);
    this.detach = machine.observe({
      name: "recorder",
      on: {
        input: ({ input }) => {
          this.inputs.add(machine.instant, input);
          return undefined;
        },
      },
    });
  }

  /** Between two runs of the machine: writes what is due. */
  keepUp(): void {
    const { icount } = this.machine;
    const checkIsDue = icount - this.checkedAt >= this.checkInterval;
    const markIsDue = icount - this.markedAt >= this.markInterval;
    const { snapshot } = this;
    const snapshotIsDue = icount - (snapshot?.icount ?? icount) >= this.snapshotInterval;
    const hasInputs = this.inputs.all.length > this.inputsWritten;
    if (!checkIsDue && !markIsDue && !hasInputs && !snapshotIsDue) return;
    this.writeNews(this.ledger?.finished ?? 0);
    if (snapshot !== undefined && snapshotIsDue) this.keepSnapshot(snapshot);
    this.mark("MARK", checkIsDue);
  }

  private keepSnapshot(before: Snapshot): void {
    const snapshot = this.machine.snapshot();
    this.container.put("SNAP", writeSnapshot(snapshot, before, this.inputsWritten));
    this.machine.forget(before);
    this.snapshot = snapshot;
  }

  /** Writes all that there is up to now. */
  flush(withHash = false): void {
    this.writeNews(this.ledger?.finished ?? 0);
    this.mark("MARK", withHash);
  }

  /** The run ends here; nothing is recorded after this. */
  finish(): void {
    this.detach();
    this.writeNews(this.ledger?.length ?? 0);
    this.mark("DONE", true);
    if (this.snapshot !== undefined) this.machine.forget(this.snapshot);
  }

  private writeNews(rows: number): void {
    const news = this.inputs.all.slice(this.inputsWritten);
    if (news.length > 0) this.container.put("INPT", writeInputs(news));
    this.inputsWritten += news.length;
    if (this.ledger === undefined || rows <= this.rowsWritten) return;
    this.container.put("LEDG", writeLedger(this.ledger.table, this.rowsWritten, rows));
    this.rowsWritten = rows;
  }

  private mark(type: PartType & ("MARK" | "DONE"), withHash: boolean): void {
    const { machine } = this;
    const at = machine.instant;
    const mark: Mark = { at, inputs: this.inputsWritten };
    this.container.put(type, writeMark(withHash ? { ...mark, hash: machine.stateHash() } : mark));
    this.markedAt = at.icount;
    if (withHash) this.checkedAt = at.icount;
  }
}

/** What the run starts from: configuration and images, each image once. */
function writeStart(container: ContainerWriter, configuration: RecordingConfiguration): void {
  const { kernel, modules = [], ramBytes, append, startTime } = configuration;
  const images = new Map<string, Uint8Array>();
  const named = ({ name, bytes }: ImageFile) => {
    const hash = sha256(bytes);
    images.set(hash, bytes);
    return { name, sha256: hash };
  };
  const part = writeConfiguration({
    ramBytes,
    ...(startTime === undefined ? {} : { startTime }),
    ...(append === undefined ? {} : { append }),
    kernel: named(kernel),
    modules: modules.map((module) => ({
      ...named(module),
      ...(module.args === undefined ? {} : { args: module.args }),
    })),
  });
  container.put("CONF", part);
  for (const [hash, bytes] of images) {
    container.put("IMAG", writeImage({ sha256: hash, bytes }));
  }
}

/**
 * The recording of a timeline as it is now, from reset to its end, in one piece: of a run that was not
 * recorded as it went. The end has a check if the machine stands there.
 */
export function recordingOf(
  timeline: Timeline,
  configuration: RecordingConfiguration,
  codec: Codec,
): Uint8Array {
  const pieces: Uint8Array[] = [];
  const container = new ContainerWriter((bytes) => pieces.push(bytes), codec);
  writeStart(container, configuration);
  const { all } = timeline.inputs;
  if (all.length > 0) container.put("INPT", writeInputs(all));
  const mark: Mark = { at: timeline.endOfTime, inputs: all.length };
  const { machine } = timeline;
  container.put(
    "DONE",
    writeMark(timeline.isInPast ? mark : { ...mark, hash: machine.stateHash() }),
  );
  const file = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  return file;
}
