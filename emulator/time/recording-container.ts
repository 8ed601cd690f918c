/**
 * The container of a recording: a header and parts, each appended whole and never changed.
 *
 * Header, 16 bytes: SIGNATURE, u32 format version, u32 CRC-32 of the twelve bytes before.
 * Part: four letters of its type, u16 encoding (0 raw, 1 compressed), u16 layout of its bytes, u32 length
 * as stored, u32 length as meant, u32 CRC of these 16 bytes; the stored bytes; u32 CRC of them. All
 * little-endian. Each CRC goes on from the one before it in the file, so that parts cannot be lost,
 * swapped or doubled.
 */
import { RecordingError } from "./recording-bytes.ts";
import { crc32 } from "./recording-hash.ts";

/** Compression, from outside: the machine brings none of its own. Raw deflate (RFC 1951). */
export interface Codec {
  compress(bytes: Uint8Array): Uint8Array;
  /** Throws if they are not what compress() made of `length` bytes. */
  decompress(bytes: Uint8Array, length: number): Uint8Array;
}

const FORMAT_VERSION = 1;
/** Not text, with both line ends and an end of file: what a transfer as text damages at once. */
const SIGNATURE = Uint8Array.of(0x89, 0x4d, 0x56, 0x52, 0x0d, 0x0a, 0x1a, 0x0a);
const HEADER_BYTES = 16;
const PART_HEADER_BYTES = 20;
const CRC_BYTES = 4;
/** Longer than any part is. */
const MAX_PART_BYTES = 0x8000_0000;

const RAW = 0;
const COMPRESSED = 1;

/**
 * Kinds of parts, each with the number of the layout of its bytes: another number wherever that changes.
 * Other kinds are left for formats to come and passed over.
 */
export const LAYOUTS = {
  CONF: 0,
  IMAG: 0,
  INPT: 0,
  MARK: 0,
  FORK: 0,
  DONE: 0,
  LEDG: 1,
  FUTU: 0,
  PAGE: 0,
  SNAP: 2,
} as const;
export type PartType = keyof typeof LAYOUTS;

export interface Part {
  readonly type: string;
  readonly layout: number;
  readonly bytes: Uint8Array;
}

/** A part's bytes as they will stand in the file. */
export interface StoredBytes {
  readonly encoding: typeof RAW | typeof COMPRESSED;
  readonly stored: Uint8Array;
  /** Before they were compressed. */
  readonly length: number;
}

/** Makes the bytes of a file, in the order of the calls. */
export class ContainerWriter {
  private readonly write: (bytes: Uint8Array) => void;
  private readonly codec: Codec;
  private crc: number;

  constructor(write: (bytes: Uint8Array) => void, codec: Codec) {
    this.write = write;
    this.codec = codec;
    const header = new Uint8Array(HEADER_BYTES);
    header.set(SIGNATURE);
    const view = new DataView(header.buffer);
    view.setUint32(SIGNATURE.length, FORMAT_VERSION, true);
    this.crc = crc32(header.subarray(0, HEADER_BYTES - CRC_BYTES));
    view.setUint32(HEADER_BYTES - CRC_BYTES, this.crc, true);
    write(header);
  }

  /** Compressed, where that makes them fewer. */
  stored(bytes: Uint8Array): StoredBytes {
    const compressed = this.codec.compress(bytes);
    const { length } = bytes;
    return compressed.length < length
      ? { encoding: COMPRESSED, stored: compressed, length }
      : { encoding: RAW, stored: bytes, length };
  }

  put(type: PartType, bytes: Uint8Array): void {
    this.append(type, this.stored(bytes));
  }

  /** In one piece: a writer that is killed leaves whole parts and at most one torn one. */
  append(type: PartType, { encoding, stored, length }: StoredBytes): void {
    const file = new Uint8Array(PART_HEADER_BYTES + stored.length + CRC_BYTES);
    const view = new DataView(file.buffer);
    file.set(new TextEncoder().encode(type));
    view.setUint16(4, encoding, true);
    view.setUint16(6, LAYOUTS[type], true);
    view.setUint32(8, stored.length, true);
    view.setUint32(12, length, true);
    this.crc = crc32(file.subarray(0, 16), this.crc);
    view.setUint32(16, this.crc, true);
    file.set(stored, PART_HEADER_BYTES);
    this.crc = crc32(stored, this.crc);
    view.setUint32(PART_HEADER_BYTES + stored.length, this.crc, true);
    this.write(file);
  }
}

/** Why no more parts could be read, and where. */
export interface Damage {
  readonly at: number;
  readonly kind: "cut short" | "damaged";
}

/**
 * The parts of a file up to the first that is damaged or not whole; returns what is wrong with that
 * one. Throws a RecordingError if the file is no recording of this format.
 */
export function* readParts(file: Uint8Array, codec: Codec): Generator<Part, Damage | undefined> {
  let crc = readHeader(file);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = HEADER_BYTES; at < file.length; ) {
    if (file.length - at < PART_HEADER_BYTES) return { at, kind: "cut short" };
    crc = crc32(file.subarray(at, at + 16), crc);
    if (crc !== view.getUint32(at + 16, true)) return { at, kind: "damaged" };
    const stored = view.getUint32(at + 8, true);
    const from = at + PART_HEADER_BYTES;
    if (file.length - from < stored + CRC_BYTES) return { at, kind: "cut short" };
    const bytes = file.subarray(from, from + stored);
    crc = crc32(bytes, crc);
    if (crc !== view.getUint32(from + stored, true)) return { at, kind: "damaged" };
    const length = view.getUint32(at + 12, true);
    const encoding = view.getUint16(at + 4, true);
    const layout = view.getUint16(at + 6, true);
    if (encoding > COMPRESSED || length > MAX_PART_BYTES) return { at, kind: "damaged" };
    const meant = encoding === RAW ? bytes : decompressed(codec, bytes, length);
    if (meant?.length !== length) return { at, kind: "damaged" };
    const type = new TextDecoder().decode(file.subarray(at, at + 4));
    yield { type, layout, bytes: meant };
    at = from + stored + CRC_BYTES;
  }
  return undefined;
}

function decompressed(codec: Codec, bytes: Uint8Array, length: number): Uint8Array | undefined {
  try {
    return codec.decompress(bytes, length);
  } catch {
    return undefined;
  }
}

/** Returns the CRC from which the first part's goes on. */
function readHeader(file: Uint8Array): number {
  if (file.length === 0) throw new RecordingError("is empty: nothing was recorded into it");
  if (file.subarray(0, SIGNATURE.length).some((byte, i) => byte !== SIGNATURE[i])) {
    throw new RecordingError("is not a recording: its first bytes are others");
  }
  if (file.length < HEADER_BYTES) throw new RecordingError("is cut short within its header");
  const view = new DataView(file.buffer, file.byteOffset, HEADER_BYTES);
  const crc = crc32(file.subarray(0, HEADER_BYTES - CRC_BYTES));
  if (crc !== view.getUint32(HEADER_BYTES - CRC_BYTES, true)) {
    throw new RecordingError("has a damaged header");
  }
  const version = view.getUint32(SIGNATURE.length, true);
  if (version !== FORMAT_VERSION) {
    throw new RecordingError(
      `is a recording of format ${version}, and this version reads format ${FORMAT_VERSION}: open it with the version that made it`,
    );
  }
  return crc;
}
