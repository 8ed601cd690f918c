/** Bytes as one little-endian integer. */
export function bytesValue(bytes: Uint8Array): bigint {
  let value = 0n;
  // By words: integers of up to 32 bits are made without a bigint.
  for (let end = bytes.length; end > 0; ) {
    const first = Math.floor((end - 1) / 4) * 4;
    let word = 0;
    while (end > first) {
      end--;
      word = word * 256 + (bytes[end] as number);
    }
    value = (value << 32n) | BigInt(word);
  }
  return value;
}
