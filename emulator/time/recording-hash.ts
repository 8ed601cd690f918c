/** What recordings are checked by: CRC-32 of parts, SHA-256 of images. */

const CRC_POLYNOMIAL = 0xedb8_8320;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = (value & 1) !== 0 ? (value >>> 1) ^ CRC_POLYNOMIAL : value >>> 1;
  }
  return value;
});

/** CRC-32 as in gzip (RFC 1952, section 8); `before` is that of the bytes that came before. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}

/** The first `count` primes: SHA-256's constants are the fractions of their roots. */
function primes(count: number): number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((p) => n % p !== 0)) found.push(n);
  return found;
}

/** The first 32 bits of the fraction of the `degree`th root of n. */
function rootFraction(n: number, degree: 2n | 3n): number {
  const scaled = BigInt(n) << (32n * degree);
  let [low, high] = [0n, 1n << 40n];
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    if (middle ** degree <= scaled) low = middle;
    else high = middle - 1n;
  }
  return Number(BigInt.asUintN(32, low));
}

const BLOCK_BYTES = 64;
const ROUNDS = 64;

/** Constants of FIPS 180-4, sections 4.2.2 and 5.3.3. */
const ROUND_CONSTANTS = Int32Array.from(primes(ROUNDS), (p) => rootFraction(p, 3n));
const INITIAL = Int32Array.from(primes(8), (p) => rootFraction(p, 2n));

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** Modulo 2^32: an Int32Array keeps the low 32 bits. */
function addTo(words: Int32Array, at: number, value: number): void {
  words[at] = (words[at] as number) + value;
}

/** One block into the hash (FIPS 180-4, section 6.2.2). */
function mixBlock(hash: Int32Array, schedule: Int32Array, view: DataView, at: number): void {
  const w = schedule;
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(at + 4 * t);
  for (let t = 16; t < ROUNDS; t++) {
    const x = w[t - 15] as number;
    const y = w[t - 2] as number;
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[t] = ((w[t - 16] as number) + s0 + (w[t - 7] as number) + s1) | 0;
  }
  let a = hash[0] as number;
  let b = hash[1] as number;
  let c = hash[2] as number;
  let d = hash[3] as number;
  let e = hash[4] as number;
  let f = hash[5] as number;
  let g = hash[6] as number;
  let h = hash[7] as number;
  for (let t = 0; t < ROUNDS; t++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const choice = (e & f) ^ (~e & g);
    const t1 = (h + s1 + choice + (ROUND_CONSTANTS[t] as number) + (w[t] as number)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + s0 + majority) | 0;
  }
  addTo(hash, 0, a);
  addTo(hash, 1, b);
  addTo(hash, 2, c);
  addTo(hash, 3, d);
  addTo(hash, 4, e);
  addTo(hash, 5, f);
  addTo(hash, 6, g);
  addTo(hash, 7, h);
}

/** SHA-256 (FIPS 180-4), as 64 hexadecimal digits. */
export function sha256(bytes: Uint8Array): string {
  const hash = INITIAL.slice();
  const schedule = new Int32Array(ROUNDS);
  const whole = bytes.length - (bytes.length % BLOCK_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole; at += BLOCK_BYTES) mixBlock(hash, schedule, view, at);
  const rest = bytes.length - whole;
  const tail = new Uint8Array(rest + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES);
  tail.set(bytes.subarray(whole));
  tail[rest] = 0x80;
  const end = new DataView(tail.buffer);
  end.setBigUint64(tail.length - 8, BigInt(bytes.length) * 8n);
  for (let at = 0; at < tail.length; at += BLOCK_BYTES) mixBlock(hash, schedule, end, at);
  return [...hash].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
