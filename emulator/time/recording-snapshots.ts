/**
 * Snapshots in a recording: CPU, TLB and devices whole; of RAM the pages that changed since the
 * snapshot before (the first: since reset, which the images give), as what they changed by (XOR), so
 * that what stayed the same is zeros and compresses to next to nothing.
 */
import type { DeviceState } from "../devices/device.ts";
import type { Snapshot } from "../machine.ts";
import { PageSet, pageOf } from "../page-history.ts";
import { PAGE_SIZE } from "../state/memory-map.ts";
import { ByteReader, ByteWriter, RecordingError } from "./recording-bytes.ts";
import { readValue, writeValue } from "./recording-values.ts";

/** A snapshot's part, of which RAM is read when the one before it is there. */
export interface SnapshotPart {
  readonly state: Omit<Snapshot, "pages">;
  /** Inputs that had entered. */
  readonly inputs: number;
  readonly pages: readonly number[];
  /** XOR with the snapshot before, a page after the other. */
  readonly changes: Uint8Array;
}

/** Pages that differ, or may, between a set and one that it goes back to. */
function pagesSince(to: PageSet, from: PageSet): number[] {
  const pages = new Set<number>();
  for (let at: PageSet | undefined = to; at !== from; at = at.parent) {
    if (at === undefined) throw new Error("The snapshot before is not in this one's past");
    for (const page of at.pages.keys()) pages.add(page);
  }
  return [...pages].sort((a, b) => a - b);
}

const ZEROS = new Uint8Array(PAGE_SIZE);

function xorInto(target: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) ^ (other[i] as number);
}

export function writeSnapshot(snapshot: Snapshot, before: Snapshot, inputs: number): Uint8Array {
  const { pages: set, ...state } = snapshot;
  const writer = new ByteWriter();
  writeValue(writer, state);
  const pages = pagesSince(set, before.pages);
  writer.number(inputs).number(pages.length);
  let last = 0;
  for (const page of pages) {
    writer.number(page - last);
    last = page;
  }
  for (const page of pages) {
    const change = (pageOf(set, page) ?? ZEROS).slice();
    xorInto(change, pageOf(before.pages, page) ?? ZEROS);
    writer.raw(change);
  }
  return writer.done;
}

export function readSnapshot(part: Uint8Array): SnapshotPart {
  const reader = new ByteReader(part);
  const state = readValue(reader) as SnapshotPart["state"];
  const inputs = reader.number();
  const count = reader.number();
  if (count > reader.left) throw new RecordingError("holds fewer pages than it says");
  const pages: number[] = [];
  for (let i = 0; i < count; i++) pages.push((pages.at(-1) ?? 0) + reader.number());
  return { state, inputs, pages, changes: reader.raw(count * PAGE_SIZE) };
}

/** The snapshot itself, of the machine whose snapshot `before` is. */
export function snapshotOf({ state, pages, changes }: SnapshotPart, before: Snapshot): Snapshot {
  const contents = new Map<number, Uint8Array>();
  pages.forEach((page, i) => {
    const bytes = changes.slice(i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
    xorInto(bytes, pageOf(before.pages, page) ?? ZEROS);
    contents.set(page, bytes);
  });
  const devices = state.devices as DeviceState;
  return { ...state, devices, pages: new PageSet(before.pages, contents) };
}
