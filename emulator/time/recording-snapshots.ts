/**
 * Snapshots in a recording: CPU, TLB, devices and what followers saw whole; of RAM the pages that changed
 * since the snapshot before (the first: since reset, which the images give), as what they changed by (XOR),
 * so that what stayed the same is zeros and compresses to next to nothing. Where a page is a piece of an
 * image, it is what that is changed by.
 */
import type { DeviceState } from "../devices/device.ts";
import type { Snapshot } from "../machine.ts";
import { PageSet, pageOf, pagesBetween } from "../page-history.ts";
import { PAGE_SIZE } from "../state/memory-map.ts";
import type { ImagePieces } from "./image-pieces.ts";
import { ByteReader, ByteWriter, RecordingError } from "./recording-bytes.ts";
import { readValue, writeValue } from "./recording-values.ts";
import type { FollowerState, FollowerStates, StoredSnapshot } from "./snapshot-store.ts";

/** A snapshot's part, of which RAM is read when the one before it is there. */
export interface SnapshotPart {
  readonly state: Omit<Snapshot, "pages">;
  /** Inputs that had entered. */
  readonly inputs: number;
  readonly followers: FollowerStates;
  readonly pages: readonly ChangedPage[];
  /** XOR with what each page is based on, a page after the other. */
  readonly changes: Uint8Array;
}

interface ChangedPage {
  readonly page: number;
  /** Offset of the image's piece that it is based on; undefined: the same page of the snapshot before. */
  readonly piece: number | undefined;
}

const ZEROS = new Uint8Array(PAGE_SIZE);

function xorInto(target: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) ^ (other[i] as number);
}

/** Of two snapshots of one machine. `followers` are as recordings have them. */
export function writeSnapshot(
  { snapshot, inputs, followers }: StoredSnapshot,
  before: Snapshot,
  images: ImagePieces,
): Uint8Array {
  const { pages: set, ...state } = snapshot;
  const writer = new ByteWriter();
  writeValue(writer, state);
  writeValue(writer, Object.fromEntries(followers));
  const pages = [...pagesBetween(set, before.pages)].sort((a, b) => a - b);
  const contents = pages.map((page) => pageOf(set, page) ?? ZEROS);
  const pieces = images.find(contents);
  writer.number(inputs).number(pages.length);
  let last = 0;
  pages.forEach((page, i) => {
    const piece = pieces[i];
    writer.number(page - last).number(piece === undefined ? 0 : piece + 1);
    last = page;
  });
  pages.forEach((page, i) => {
    const piece = pieces[i];
    const base = piece === undefined ? (pageOf(before.pages, page) ?? ZEROS) : images.at(piece);
    const change = (contents[i] as Uint8Array).slice();
    xorInto(change, base);
    writer.raw(change);
  });
  return writer.done;
}

export function readSnapshot(part: Uint8Array): SnapshotPart {
  const reader = new ByteReader(part);
  const state = readValue(reader) as SnapshotPart["state"];
  const followers = readValue(reader) as { readonly [name: string]: FollowerState };
  const inputs = reader.number();
  const count = reader.number();
  if (count > reader.left) throw new RecordingError("holds fewer pages than it says");
  const pages: ChangedPage[] = [];
  for (let i = 0; i < count; i++) {
    const page = (pages.at(-1)?.page ?? 0) + reader.number();
    const piece = reader.number();
    pages.push({ page, piece: piece === 0 ? undefined : piece - 1 });
  }
  const changes = reader.raw(count * PAGE_SIZE);
  return { state, inputs, followers: new Map(Object.entries(followers)), pages, changes };
}

/** The snapshot itself, of the machine whose snapshot `before` is. */
export function snapshotOf(
  { state, pages, changes }: SnapshotPart,
  before: Snapshot,
  images: ImagePieces,
): Snapshot {
  const contents = new Map<number, Uint8Array>();
  pages.forEach(({ page, piece }, i) => {
    const bytes = changes.slice(i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
    xorInto(bytes, piece === undefined ? (pageOf(before.pages, page) ?? ZEROS) : images.at(piece));
    contents.set(page, bytes);
  });
  const devices = state.devices as DeviceState;
  return { ...state, devices, pages: new PageSet(before.pages, contents) };
}
