/**
 * Snapshots in a recording: CPU, TLB, devices and what followers saw whole; of RAM the pages that changed
 * since an earlier snapshot or since reset, which the images give, as what they changed by (XOR), so that
 * what stayed the same is zeros and compresses to next to nothing. Where a page is a piece of an image, it
 * is what that is changed by.
 */
import type { DeviceState } from "../devices/device.ts";
import type { Snapshot } from "../machine.ts";
import { PageSet, pageOf, pagesBetween } from "../page-history.ts";
import { PAGE_SIZE } from "../state/memory-map.ts";
import type { ImagePieces } from "./image-pieces.ts";
import { ByteReader, ByteWriter, RecordingError } from "./recording-bytes.ts";
import { readValue, writeValue } from "./recording-values.ts";
import type { FollowerState, FollowerStates, StoredSnapshot } from "./snapshot-store.ts";

/** What a snapshot goes on from: number `index`, from 1, of those that the file has, or 0 for reset. */
export interface SnapshotBase {
  readonly index: number;
  readonly snapshot: Snapshot;
}

/** Pages that the snapshot behind their part changes. */
export interface PagesPart {
  readonly pages: readonly ChangedPage[];
  /** XOR with what each page is based on, a page after the other. */
  readonly changes: Uint8Array;
}

/** A snapshot's part, of which RAM is read when the one that it goes on from is there. */
export interface SnapshotPart {
  /** Index of a SnapshotBase. */
  readonly base: number;
  readonly state: Omit<Snapshot, "pages">;
  /** Inputs that had entered. */
  readonly inputs: number;
  readonly followers: FollowerStates;
  readonly pages: readonly PagesPart[];
}

interface ChangedPage {
  readonly page: number;
  /** Offset of the image's piece that it is based on; undefined: the same page of the base. */
  readonly piece: number | undefined;
}

/** So many make a part: compressing it is no pause that anybody notices. */
const PART_PAGES = 256;

const ZEROS = new Uint8Array(PAGE_SIZE);

function xorInto(target: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) ^ (other[i] as number);
}

/**
 * The parts of pages and, returned, that of the snapshot: it and its base are of one machine. `followers`
 * are as recordings have them. Undefined is for a piece of work without a part.
 */
export function* snapshotParts(
  { snapshot, inputs, followers }: StoredSnapshot,
  { index, snapshot: before }: SnapshotBase,
  images: ImagePieces,
): Generator<Uint8Array | undefined, Uint8Array> {
  const { pages: set, ...state } = snapshot;
  const pages = [...pagesBetween(set, before.pages)].sort((a, b) => a - b);
  const contents = pages.map((page) => pageOf(set, page) ?? ZEROS);
  const pieces = yield* images.find(contents);
  const changed = pages.map((page, i) => ({ page, piece: pieces[i] }));
  for (let from = 0; from < changed.length; from += PART_PAGES) {
    const some = changed.slice(from, from + PART_PAGES);
    const changes = some.map(({ page, piece }, i) => {
      const change = (contents[from + i] as Uint8Array).slice();
      xorInto(change, baseOf(page, piece, before, images));
      return change;
    });
    yield writePages(some, changes);
  }
  const writer = new ByteWriter().number(index).number(inputs).number(pages.length);
  writeValue(writer, state);
  writeValue(writer, Object.fromEntries(followers));
  return writer.done;
}

const baseOf = (page: number, piece: number | undefined, before: Snapshot, images: ImagePieces) =>
  piece === undefined ? (pageOf(before.pages, page) ?? ZEROS) : images.at(piece);

function writePages(pages: readonly ChangedPage[], changes: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter().number(pages.length);
  let last = 0;
  for (const { page, piece } of pages) {
    writer.number(page - last).number(piece === undefined ? 0 : piece + 1);
    last = page;
  }
  for (const change of changes) writer.raw(change);
  return writer.done;
}

export function readPages(part: Uint8Array): PagesPart {
  const reader = new ByteReader(part);
  const count = reader.number();
  if (count > reader.left) throw new RecordingError("holds fewer pages than it says");
  const pages: ChangedPage[] = [];
  for (let i = 0; i < count; i++) {
    const page = (pages.at(-1)?.page ?? 0) + reader.number();
    const piece = reader.number();
    pages.push({ page, piece: piece === 0 ? undefined : piece - 1 });
  }
  return { pages, changes: reader.raw(count * PAGE_SIZE) };
}

/** `pages` are those before it since the snapshot before, of which the file has so many. */
export function readSnapshot(
  part: Uint8Array,
  pages: readonly PagesPart[],
  snapshots: number,
): SnapshotPart {
  const reader = new ByteReader(part);
  const [base, inputs, count] = [reader.number(), reader.number(), reader.number()];
  if (base > snapshots || pages.reduce((sum, each) => sum + each.pages.length, 0) !== count) {
    throw new RecordingError("holds a snapshot without all that it is made of");
  }
  const state = readValue(reader) as SnapshotPart["state"];
  const followers = readValue(reader) as { readonly [name: string]: FollowerState };
  return { base, inputs, state, followers: new Map(Object.entries(followers)), pages };
}

/** The snapshot itself, of the machine whose snapshot `before` is, its base. */
export function snapshotOf(
  { state, pages: parts }: SnapshotPart,
  before: Snapshot,
  images: ImagePieces,
): Snapshot {
  const contents = new Map<number, Uint8Array>();
  for (const { pages, changes } of parts) {
    pages.forEach(({ page, piece }, i) => {
      const bytes = changes.slice(i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
      xorInto(bytes, baseOf(page, piece, before, images));
      contents.set(page, bytes);
    });
  }
  const devices = state.devices as DeviceState;
  return { ...state, devices, pages: new PageSet(before.pages, contents) };
}
