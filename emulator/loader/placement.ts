/** Checks that what a loader places lies in RAM and does not lie on other things. */

import type { MemoryWrite } from "./boot-image.ts";
import { HIGH_MEMORY, LOW_MEMORY_END } from "./firmware.ts";
import { hex, LoadError, sizeText } from "./load-error.ts";

/** Throws unless [address, address + length) is RAM that an image may occupy. */
export function checkFits(what: string, address: number, length: number, ramBytes: number): void {
  const end = address + length;
  if (end > ramBytes) {
    throw new LoadError(
      `${what} does not fit in ${sizeText(ramBytes)} of memory: it would end at ${hex(end)}`,
    );
  }
  if (address < HIGH_MEMORY && end > LOW_MEMORY_END) {
    throw new LoadError(
      `${what} would lie on the PC's reserved area: it takes ${hex(address)} to ${hex(end)}`,
    );
  }
}

/** Throws if the image would lie on something that the loader itself needs. */
export function checkApart(what: string, image: MemoryWrite, others: readonly MemoryWrite[]): void {
  for (const other of others) {
    const apart =
      image.address + image.bytes.length <= other.address ||
      other.address + other.bytes.length <= image.address;
    if (!apart)
      throw new LoadError(`${what} would lie on the ${other.what} at ${hex(other.address)}`);
  }
}
