/** Compression of recordings by Node's zlib. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { Codec } from "../../emulator/index.ts";

export const deflate: Codec = {
  compress: (bytes) => new Uint8Array(deflateRawSync(bytes)),
  decompress: (bytes, length) =>
    new Uint8Array(inflateRawSync(bytes, { maxOutputLength: Math.max(length, 1) })),
};
