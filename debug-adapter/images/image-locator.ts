/** Learns where the host's images run when they have moved themselves or mapped themselves elsewhere. */
import type { Debuggee } from "../debuggee.ts";
import type { Image, ImageSegment } from "../images.ts";
import { isSparse } from "./sparse.ts";

/** Bytes at the instruction that are looked for in the images' code. */
const SAMPLE = 32;
const PAGE = 4096;

export class ImageLocator {
  private readonly debuggee: Debuggee;
  private readonly detach: () => void;

  constructor(debuggee: Debuggee) {
    this.debuggee = debuggee;
    let events = 0;
    const look = (): undefined => {
      if (isSparse(++events)) this.look();
      return undefined;
    };
    this.detach = debuggee.machine.observe({
      name: "image locator",
      on: { paging: ({ guest }) => (guest ? undefined : look()), vmrunStart: look },
    });
  }

  dispose(): void {
    this.detach();
  }

  /** If the host is in no image's code, tells the images whose code it is, and where. */
  look(): void {
    const { debuggee } = this;
    const { images } = debuggee;
    const hosts = images.all.filter(({ world }) => world === "host");
    if (debuggee.world !== "host" || hosts.length === 0) return;
    if (images.at("host", debuggee.linearRip) !== undefined) return;
    const { linear, physical } = debuggee.executePlace();
    if (physical === undefined) return;
    const sample = debuggee.readLinear("host", linear, SAMPLE);
    if (sample.length < SAMPLE) return;
    const found = inPlace(hosts, physical, sample) ?? bySearch(hosts, linear, sample);
    if (found) images.move(found.image, BigInt.asUintN(64, linear - found.linked));
  }
}

interface Location {
  readonly image: Image;
  /** Link address of the bytes. */
  readonly linked: bigint;
}

/** Where the loader put the segments, under whatever mapping. */
function inPlace(
  images: readonly Image[],
  physical: number,
  sample: Uint8Array,
): Location | undefined {
  for (const image of images) {
    for (const segment of image.parts.segments) {
      const offset = physical - Number(segment.physical);
      if (!segment.isExecutable || offset < 0 || offset + SAMPLE > segment.bytes.length) continue;
      if (!isAt(segment.bytes, offset, sample)) continue;
      return { image, linked: segment.virtual + BigInt(offset) };
    }
  }
  return undefined;
}

/** The one place in all images' code with these bytes; at the same offset of a page if one is. */
function bySearch(
  images: readonly Image[],
  linear: bigint,
  sample: Uint8Array,
): Location | undefined {
  const found = images.flatMap((image) =>
    image.parts.segments.flatMap((segment) => {
      const offsets = segment.isExecutable ? offsetsOf(segment, sample) : [];
      return offsets.map((offset) => ({ image, linked: segment.virtual + BigInt(offset) }));
    }),
  );
  const inPage = (address: bigint): bigint => address % BigInt(PAGE);
  const aligned = found.filter(({ linked }) => inPage(linked) === inPage(linear));
  if (aligned.length === 1) return aligned[0];
  return found.length === 1 ? found[0] : undefined;
}

function offsetsOf({ bytes }: ImageSegment, sample: Uint8Array): number[] {
  const offsets: number[] = [];
  const [first] = sample;
  for (let at = 0; first !== undefined; at++) {
    at = bytes.indexOf(first, at);
    if (at < 0 || at + sample.length > bytes.length) break;
    if (isAt(bytes, at, sample)) offsets.push(at);
  }
  return offsets;
}

function isAt(bytes: Uint8Array, offset: number, sample: Uint8Array): boolean {
  for (let i = 0; i < sample.length; i++) if (bytes[offset + i] !== sample[i]) return false;
  return true;
}
