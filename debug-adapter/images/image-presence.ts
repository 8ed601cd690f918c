/** Whether an image's code is in memory where the image says, and which build of it. */

import { type GnuBuildId, parseBuildIdNote } from "../../symbols/build-id-note.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Image, ImageSegment } from "../images.ts";
import type { World } from "../register-file.ts";
import { hex } from "../text.ts";
import { isSparse } from "./sparse.ts";

export type Presence =
  | { readonly kind: "present" }
  /** Nothing of it was seen yet; `seen` says what was found in its place, if anything. */
  | { readonly kind: "awaited"; readonly seen?: string }
  | { readonly kind: "otherBuild"; readonly message: string };

const AWAITED: Presence = { kind: "awaited" };
const PRESENT: Presence = { kind: "present" };
/** Bytes around an instruction that are compared, and how many of them must agree. */
const WINDOW = 64;
/** Kernels patch their own code (alternatives, static calls, ftrace): not every byte must agree. */
const LEAST_EQUAL = 0.6;

export class ImagePresence {
  private readonly debuggee: Debuggee;
  private readonly changed: (image: Image) => void;
  private readonly known = new Map<Image, Presence>();
  private readonly loaderPlaced = new Map<Image, boolean>();
  private stopLooking: (() => void) | undefined;

  /** `changed` is told when more is known of an image. */
  constructor(debuggee: Debuggee, changed: (image: Image) => void) {
    this.debuggee = debuggee;
    this.changed = changed;
    this.lookAgain();
  }

  dispose(): void {
    this.stopLooking?.();
    this.stopLooking = undefined;
  }

  of(image: Image): Presence {
    if (this.isLoaderPlaced(image) || !image.parts.segments.some(hasCode)) return PRESENT;
    return this.known.get(image) ?? AWAITED;
  }

  /** Images came, went or moved: what was known of where they are no longer holds. */
  forget(image: Image): void {
    this.known.delete(image);
    this.lookAgain();
  }

  /** Whether the machine's loader put the image at its physical addresses. */
  isLoaderPlaced(image: Image): boolean {
    let placed = this.loaderPlaced.get(image);
    if (placed === undefined) {
      placed = image.world === "host" && image.parts.segments.some((each) => this.isWritten(each));
      this.loaderPlaced.set(image, placed);
    }
    return placed;
  }

  private isWritten(segment: ImageSegment): boolean {
    if (!hasCode(segment)) return false;
    const writes = this.debuggee.machine.image?.writes ?? [];
    return writes.some(({ address, bytes }) => {
      const offset = Number(segment.physical) - address;
      const length = Math.min(segment.bytes.length, 4096);
      if (offset < 0 || offset + length > bytes.length) return false;
      return segment.bytes.subarray(0, length).every((byte, i) => bytes[offset + i] === byte);
    });
  }

  /** Whether the image's code is at the linear address, where the machine is about to run it. */
  holds(image: Image, linear: bigint): boolean {
    const before = this.of(image);
    if (before.kind === "otherBuild") return false;
    const expected = codeAround(image, linear);
    if (expected === undefined) return before.kind === "present";
    const equal = this.agrees(image.world, expected);
    if (equal) this.learn(image, PRESENT);
    else if (before.kind === "awaited" && equal !== undefined) {
      const seen = `the code at ${hex(linear)} differs from ${image.name}'s`;
      this.learn(image, { kind: "awaited", seen });
    }
    return equal === true;
  }

  /** Looks for all images that are not seen yet. */
  look(): void {
    for (const image of this.debuggee.images.all) {
      if (this.of(image).kind === "awaited") this.lookFor(image);
    }
    const isDone = this.debuggee.images.all.every((image) => this.of(image).kind !== "awaited");
    if (isDone) this.dispose();
  }

  private lookFor(image: Image): void {
    const { slide } = image;
    if (slide === undefined) return;
    const note = this.readNote(image, slide);
    const { buildId } = image.symbols;
    if (note !== undefined && buildId !== undefined) {
      if (note.id === buildId) this.learn(image, PRESENT);
      else this.learn(image, { kind: "otherBuild", message: otherBuild(image, buildId, note.id) });
      return;
    }
    for (const segment of image.parts.segments) {
      if (!hasCode(segment)) continue;
      const expected = codeAround(image, BigInt.asUintN(64, segment.virtual + slide));
      if (expected && this.agrees(image.world, expected)) {
        this.learn(image, PRESENT);
        return;
      }
    }
  }

  private readNote(image: Image, slide: bigint): GnuBuildId | undefined {
    const { buildIdNote } = image.parts;
    if (buildIdNote === undefined) return undefined;
    const at = BigInt.asUintN(64, buildIdNote.address + slide);
    const bytes = this.read(image.world, at, buildIdNote.size);
    return bytes.length === buildIdNote.size ? parseBuildIdNote(bytes) : undefined;
  }

  /** Undefined where memory cannot be read. */
  private agrees(
    world: World,
    expected: { start: bigint; bytes: Uint8Array },
  ): boolean | undefined {
    const { start, bytes } = expected;
    const found = this.read(world, start, bytes.length);
    if (found.length < bytes.length) return undefined;
    const equal = bytes.reduce((sum, byte, i) => sum + (found[i] === byte ? 1 : 0), 0);
    return equal >= bytes.length * LEAST_EQUAL;
  }

  private read(world: World, address: bigint, length: number): Uint8Array {
    if (world === "guest" && this.debuggee.spaces.guest === undefined) return new Uint8Array(0);
    return this.debuggee.readLinear(world, address, length);
  }

  private learn(image: Image, presence: Presence): void {
    const before = this.of(image);
    if (before.kind === "present") return;
    if (JSON.stringify(before) === JSON.stringify(presence)) return;
    this.known.set(image, presence);
    this.changed(image);
  }

  private lookAgain(): void {
    if (this.stopLooking !== undefined) return;
    const { machine } = this.debuggee;
    let events = 0;
    const look = (): undefined => {
      if (isSparse(++events)) this.look();
      return undefined;
    };
    this.stopLooking = machine.observe({
      name: "image presence",
      on: { exit: look, paging: look },
    });
  }
}

const hasCode = (segment: ImageSegment): boolean =>
  segment.isExecutable && segment.bytes.length > 0;

/** The image's own bytes from an address of its code on, shorter at the segment's end. */
function codeAround(
  image: Image,
  linear: bigint,
): { start: bigint; bytes: Uint8Array } | undefined {
  const { slide } = image;
  if (slide === undefined) return undefined;
  const linked = BigInt.asUintN(64, linear - slide);
  for (const { virtual, bytes } of image.parts.segments) {
    const offset = linked - virtual;
    if (offset < 0n || offset >= BigInt(bytes.length)) continue;
    const first = Math.max(0, Math.min(Number(offset), bytes.length - WINDOW));
    const start = BigInt.asUintN(64, virtual + slide + BigInt(first));
    return { start, bytes: bytes.subarray(first, first + WINDOW) };
  }
  return undefined;
}

function otherBuild(image: Image, expected: string, found: string): string {
  return `${image.name} is another build than what runs: its build id is ${expected.slice(0, 12)}, the one in memory ${found.slice(0, 12)}; its lines would be wrong, so give the file that was booted.`;
}
