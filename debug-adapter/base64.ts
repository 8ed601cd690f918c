/** Base64 of the protocol's memory requests: btoa takes seconds for the megabytes that a read may ask for. */

const ALPHABET = new TextEncoder().encode(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
);
const PADDING = "=".charCodeAt(0);

export function toBase64(bytes: Uint8Array): string {
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  for (let at = 0, to = 0; at < bytes.length; at += 3, to += 4) {
    const [a, b, c] = [bytes[at] as number, bytes[at + 1], bytes[at + 2]];
    const group = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    out[to] = ALPHABET[group >> 18] as number;
    out[to + 1] = ALPHABET[(group >> 12) & 63] as number;
    out[to + 2] = b === undefined ? PADDING : (ALPHABET[(group >> 6) & 63] as number);
    out[to + 3] = c === undefined ? PADDING : (ALPHABET[group & 63] as number);
  }
  return new TextDecoder().decode(out);
}

/** Undefined where the text is not base64. */
export function fromBase64(text: unknown): Uint8Array | undefined {
  if (typeof text !== "string") return undefined;
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
