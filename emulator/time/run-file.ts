/** Writes the parts of a recording: its start once, of everything that comes in pieces what is new. */
import type { ImageFile } from "../loader/boot-image.ts";
import { ImagePieces } from "./image-pieces.ts";
import type { LoggedInput } from "./input-log.ts";
import { compareInstants, type Instant } from "./instant.ts";
import { type ExitLedger, exitRow } from "./ledger.ts";
import { CHUNK_ROWS, type LedgerTable } from "./ledger-columns.ts";
import { type Codec, ContainerWriter, type StoredBytes } from "./recording-container.ts";
import { writeFutures } from "./recording-futures.ts";
import { sha256 } from "./recording-hash.ts";
import {
  imagesOf,
  type Mark,
  type RecordingConfiguration,
  writeConfiguration,
  writeFork,
  writeImage,
  writeInputs,
  writeLedger,
  writeMark,
} from "./recording-parts.ts";
import { type SnapshotBase, snapshotParts } from "./recording-snapshots.ts";
import type { StoredSnapshot } from "./snapshot-store.ts";
import type { Timeline } from "./timeline.ts";

/** How many snapshots a recording has. */
export interface SnapshotPolicy {
  /** Instructions between two of them, at least, beside one at the end. */
  readonly interval: number;
  /** What they may add to the file: this share of its images as they are stored ... */
  readonly imageShare: number;
  /** ... and so many bytes for each instruction of the run. */
  readonly bytesPerInstruction: number;
}

export const SNAPSHOTS: SnapshotPolicy = {
  interval: 200_000_000,
  imageShare: 0.2,
  bytesPerInstruction: 50 / 1000,
};

export class RunFile {
  /** Inputs and rows of the ledger that are in the file. */
  inputs = 0;
  private rows = 0;
  private readonly container: ContainerWriter;
  private readonly pieces: ImagePieces;
  private imageBytes = 0;
  private snapshotBytes = 0;

  constructor(
    append: (bytes: Uint8Array) => void,
    codec: Codec,
    configuration: RecordingConfiguration,
  ) {
    this.container = new ContainerWriter(append, codec);
    this.pieces = new ImagePieces(imagesOf(configuration).map(({ bytes }) => bytes));
    this.start(configuration);
  }

  /** What the run starts from: configuration and images, each image once. */
  private start({
    kernel,
    modules = [],
    ramBytes,
    append,
    startTime,
  }: RecordingConfiguration): void {
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
    this.container.put("CONF", part);
    for (const [hash, bytes] of images) {
      const image = this.container.stored(writeImage({ sha256: hash, bytes }));
      this.imageBytes += image.stored.length;
      this.container.append("IMAG", image);
    }
  }

  /** Those behind the ones that are written. */
  putInputs(all: readonly LoggedInput[]): void {
    const news = all.slice(this.inputs);
    if (news.length > 0) this.container.put("INPT", writeInputs(news));
    this.inputs += news.length;
  }

  /** The same of the ledger's rows, up to a number of them. */
  putRows(table: LedgerTable, rows: number): void {
    while (this.rows < rows) {
      const to = Math.min(rows, this.rows + CHUNK_ROWS);
      this.container.put("LEDG", writeLedger(table, this.rows, to));
      this.rows = to;
    }
  }

  /** Those that the timeline has left, if there are any; the present one's inputs and exits are in the file. */
  putFutures({ future: number, futures, inputs }: Timeline, ledger: ExitLedger): void {
    const table = ledger.table.upTo(Math.min(this.rows, ledger.table.extent));
    const present = futures.find((each) => each.number === number);
    const left = futures.flatMap((future) => {
      const rows = ledger.tableLeft(future.number);
      return rows === undefined ? [] : [{ future, rows }];
    });
    if (present === undefined || left.length === 0) return;
    this.container.put("FUTU", writeFutures({ present, left }, inputs.all, table));
  }

  /**
   * Unless the policy has no room for it by now; tells whether it is in. It comes into the file when all of it
   * is there, and at the end of the last piece of work it is whole.
   */
  *putSnapshot(
    stored: StoredSnapshot,
    base: SnapshotBase,
    policy: SnapshotPolicy,
  ): Generator<undefined, boolean> {
    const { icount } = stored.snapshot;
    const most = policy.imageShare * this.imageBytes + policy.bytesPerInstruction * icount;
    const parts: StoredBytes[] = [];
    let bytes = this.snapshotBytes;
    const hasRoomFor = (part: Uint8Array): boolean => {
      const compressed = this.container.stored(part);
      parts.push(compressed);
      bytes += compressed.stored.length;
      return bytes <= most;
    };
    const all = snapshotParts(stored, base, this.pieces);
    for (let next = all.next(); ; next = all.next()) {
      if (next.value !== undefined && !hasRoomFor(next.value)) return false;
      if (next.done) break;
      yield undefined;
    }
    for (const [i, part] of parts.entries()) {
      this.snapshotBytes += part.stored.length;
      this.container.append(i < parts.length - 1 ? "PAGE" : "SNAP", part);
      if (i < parts.length - 1) yield undefined;
    }
    return true;
  }

  /** The run goes on otherwise from an instant: what is in the file behind that is no part of it. */
  putFork(at: Instant, inputs: number, table: LedgerTable | undefined): void {
    let rows = table === undefined ? 0 : Math.min(this.rows, table.extent);
    while (table && rows > 0 && compareInstants(exitRow(table, rows - 1).at, at) > 0) rows--;
    // The handler of the last one may have gone on.
    this.rows = Math.max(0, rows - 1);
    this.inputs = inputs;
    this.container.put("FORK", writeFork({ at, inputs, rows: this.rows }));
  }

  putMark(type: "MARK" | "DONE", mark: Mark): void {
    this.container.put(type, writeMark(mark));
  }
}
