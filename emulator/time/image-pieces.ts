/** Pages of RAM that are pieces of the images: loaders, hypervisors and kernels copy images about. */
import { PAGE_SIZE } from "../state/memory-map.ts";
import { RecordingError } from "./recording-bytes.ts";

/** A page's place in a table by its first eight bytes, which copies have at distances of eight. */
const KEY_WORDS = 2;
const PAGE_WORDS = PAGE_SIZE / 4;
const SLOT_BITS = 16;
const NONE = -1;
const REST_WORDS = 1 << 20;

const slotOf = (low: number, high: number): number =>
  Math.imul(Math.imul(low, 0x85eb_ca6b) ^ high, 0xc2b2_ae35) >>> (32 - SLOT_BITS);

const wordsOf = (bytes: Uint8Array): Uint32Array => {
  const isAligned = bytes.byteOffset % 4 === 0;
  const { buffer, byteOffset } = isAligned ? bytes : bytes.slice();
  return new Uint32Array(buffer, byteOffset, bytes.length >> 2);
};

export class ImagePieces {
  private readonly images: readonly Uint8Array[];

  constructor(images: readonly Uint8Array[]) {
    this.images = images;
  }

  /** The page that begins at an offset of the images, one behind the other. Throws a RecordingError. */
  at(offset: number): Uint8Array {
    let left = offset;
    for (const image of this.images) {
      if (left + PAGE_SIZE <= image.length) return image.subarray(left, left + PAGE_SIZE);
      left -= image.length;
      if (left < 0) break;
    }
    throw new RecordingError("holds a page that is said to be a piece of an image and is none");
  }

  /**
   * For each page the offset of a piece of the images that is equal to it, if there is one; looks through
   * the images a piece at a time.
   */
  *find(pages: readonly Uint8Array[]): Generator<undefined, (number | undefined)[]> {
    const words = pages.map(wordsOf);
    const found = new Array<number | undefined>(pages.length).fill(undefined);
    const heads = new Int32Array(1 << SLOT_BITS).fill(NONE);
    const next = new Int32Array(pages.length).fill(NONE);
    words.forEach(([low = 0, high = 0], i) => {
      // Fills are compressed well as they are, and would be looked at all over an image.
      if (low === high) return;
      const slot = slotOf(low, high);
      next[i] = heads[slot] as number;
      heads[slot] = i;
    });
    let first = 0;
    for (const image of this.images) {
      const all = wordsOf(image);
      for (let at = 0; at + PAGE_WORDS <= all.length; at += KEY_WORDS) {
        if (at % REST_WORDS === 0) yield undefined;
        let i = heads[slotOf(all[at] as number, all[at + 1] as number)] as number;
        for (; i !== NONE; i = next[i] as number) {
          if (found[i] === undefined && isAt(all, at, words[i] as Uint32Array)) {
            found[i] = first + 4 * at;
          }
        }
      }
      first += image.length;
    }
    return found;
  }
}

function isAt(words: Uint32Array, at: number, page: Uint32Array): boolean {
  for (let i = 0; i < PAGE_WORDS; i++) if (words[at + i] !== page[i]) return false;
  return true;
}
