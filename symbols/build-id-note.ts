/** The GNU build id as a note in memory or in a file. */

export interface GnuBuildId {
  /** In hexadecimal. */
  readonly id: string;
}

const NT_GNU_BUILD_ID = 3;
const NAME = [0x47, 0x4e, 0x55, 0];
const HEADER_BYTES = 12;

/** The build id of one note: header, "GNU", id. Undefined if the bytes are no such note. */
export function parseBuildIdNote(bytes: Uint8Array): GnuBuildId | undefined {
  if (bytes.length < HEADER_BYTES + NAME.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [nameSize, size, type] = [0, 4, 8].map((at) => view.getUint32(at, true));
  const start = HEADER_BYTES + NAME.length;
  if (nameSize !== NAME.length || type !== NT_GNU_BUILD_ID || size === undefined) return undefined;
  if (size < 1 || start + size > bytes.length) return undefined;
  if (!NAME.every((byte, i) => bytes[HEADER_BYTES + i] === byte)) return undefined;
  const id = bytes.subarray(start, start + size);
  return { id: Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("") };
}

/** Where in `notes`, a run of notes, the build id's note lies. */
export function findBuildIdNote(
  notes: Uint8Array,
): { readonly offset: number; readonly size: number } | undefined {
  const view = new DataView(notes.buffer, notes.byteOffset, notes.length);
  for (let at = 0; at + HEADER_BYTES <= notes.length; ) {
    const padded = (length: number) => (length + 3) & ~3;
    const nameSize = padded(view.getUint32(at, true) & 0xff_ffff);
    const size = HEADER_BYTES + nameSize + padded(view.getUint32(at + 4, true) & 0xff_ffff);
    if (parseBuildIdNote(notes.subarray(at, at + size))) return { offset: at, size };
    at += size;
  }
  return undefined;
}
