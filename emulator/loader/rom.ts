/** A ROM image that ends at 4 GiB, started by the CPU's reset vector. */

import type { BootImage, ImageFile, SegmentState } from "./boot-image.ts";
import { LoadError, sizeText } from "./load-error.ts";

const TOP = 2 ** 32;
const MAX_BYTES = 16 * 1024 * 1024;
const UNIT = 64 * 1024;
/** The last 128 KiB also appear below 1 MiB. */
const SHADOW_BYTES = 128 * 1024;
const REAL_CODE = 0x09b;
const REAL_DATA = 0x093;

export function loadRom(file: ImageFile): BootImage {
  const { name, bytes } = file;
  if (bytes.length === 0 || bytes.length % UNIT !== 0 || bytes.length > MAX_BYTES) {
    throw new LoadError(
      `${name} is not a ROM image: ${bytes.length} bytes is not a multiple of 64 KiB up to ${sizeText(MAX_BYTES)}`,
    );
  }
  const shadow = bytes.subarray(Math.max(bytes.length - SHADOW_BYTES, 0));
  const data: SegmentState = { selector: 0, base: 0, limit: 0xffff, attributes: REAL_DATA };
  return {
    kind: "rom",
    name,
    writes: [{ address: 0x10_0000 - shadow.length, bytes: shadow, what: name }],
    rom: { address: TOP - bytes.length, bytes, what: name },
    entry: {
      mode: "real",
      eip: 0xfff0,
      registers: {},
      cs: { selector: 0xf000, base: 0xffff_0000, limit: 0xffff, attributes: REAL_CODE },
      data,
      gdtr: { base: 0, limit: 0xffff },
    },
    firmware: false,
  };
}
