/** Little-endian fields in byte arrays, and text as the boot protocols want it. */

export const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Text as bytes, ended by a zero: UTF-8. */
export function cString(text: string): Uint8Array {
  const out: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x1_0000) {
      out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    } else {
      const rest = [12, 6, 0].map((shift) => 0x80 | ((code >> shift) & 63));
      out.push(0xf0 | (code >> 18), ...rest);
    }
  }
  out.push(0);
  return Uint8Array.from(out);
}

/** Bytes of a plain ASCII text, padded with zeros or spaces to a length. */
export function ascii(text: string, length = text.length, pad = " "): number[] {
  return [...text.padEnd(length, pad)].map((character) => character.charCodeAt(0));
}

export const u16 = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];
export const u32 = (value: number): number[] => [...u16(value), ...u16(value >>> 16)];
export const u64 = (value: number): number[] => [
  ...u32(value % 2 ** 32),
  ...u32(Math.floor(value / 2 ** 32)),
];

export const alignUp = (value: number, to: number) => Math.ceil(value / to) * to;
export const alignDown = (value: number, to: number) => Math.floor(value / to) * to;
