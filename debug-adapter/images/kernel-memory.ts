/** Copies a kernel's image out of the machine's memory, by the page tables that map it. */
import type { Translation } from "../../emulator/index.ts";
import { KernelBytes } from "../../symbols/linux/kernel-bytes.ts";

/** How far the image may reach from an address in it: text is below 64 MiB, all below 128. */
const BELOW = 64n << 20n;
const ABOVE = 128n << 20n;
/** Gaps of unmapped pages inside the image are shorter (freed parts between its sections). */
const LONGEST_GAP = 16n << 20n;
const PAGE = 0x1000n;
const LARGE_PAGE = 2n << 20n;

export interface KernelMemory {
  translate(linear: bigint): Translation;
  /** Bytes at a host-physical address, up to the first that cannot be read. */
  read(physical: number, length: number): Uint8Array;
}

/** The mapped memory around `inside`, zero where nothing is mapped between; undefined if nothing is. */
export function readImageAround(memory: KernelMemory, inside: bigint): KernelBytes | undefined {
  const pages = new Pages(memory, inside);
  const [first, last] = [pages.extent(-1n), pages.extent(1n)];
  if (first === undefined || last === undefined) return undefined;
  return pages.copy(first, last);
}

class Pages {
  private readonly memory: KernelMemory;
  private readonly inside: bigint;

  constructor(memory: KernelMemory, inside: bigint) {
    this.memory = memory;
    this.inside = inside & -LARGE_PAGE;
  }

  /** Where the mapped memory ends in one direction, in steps of large pages. */
  extent(direction: 1n | -1n): bigint | undefined {
    const limit = direction > 0n ? ABOVE : BELOW;
    let end: bigint | undefined;
    let gap = 0n;
    for (let distance = 0n; distance < limit && gap <= LONGEST_GAP; distance += LARGE_PAGE) {
      const at = BigInt.asUintN(64, this.inside + direction * distance);
      if (at < LARGE_PAGE || !this.isMapped(at)) gap += LARGE_PAGE;
      else {
        gap = 0n;
        end = direction > 0n ? at + LARGE_PAGE : at;
      }
    }
    return end;
  }

  /** Whether any of eight places in the large page is. */
  private isMapped(at: bigint): boolean {
    for (let i = 0n; i < 8n; i++) {
      const page = this.memory.translate(at + (i * LARGE_PAGE) / 8n);
      if (page.kind === "page") return true;
    }
    return false;
  }

  copy(first: bigint, end: bigint): KernelBytes {
    const bytes = new Uint8Array(Number(end - first));
    for (let at = first; at < end; ) {
      const page = this.memory.translate(at);
      const size = page.kind === "page" ? sizeOf(page) : PAGE;
      const next = (at & -size) + size;
      const length = Number((next < end ? next : end) - at);
      if (page.kind === "page")
        bytes.set(this.memory.read(page.physical, length), Number(at - first));
      at = next;
    }
    return new KernelBytes(first, bytes);
  }
}

/** Both stages map at least this much in one piece. */
function sizeOf(page: Translation & { kind: "page" }): bigint {
  return BigInt(Math.min(page.pageSize, page.nestedPageSize ?? page.pageSize));
}
