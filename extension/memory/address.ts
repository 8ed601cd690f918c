/** Addresses with their space as the memory view has them: "gpa@g1:0x1000" apart and together. */

export const ROW_BYTES = 16;
const LIMIT = 1n << 64n;

export interface Place {
  /** As the adapter names it, for example "gva@g1/0x1e0a000". */
  readonly space: string;
  readonly address: bigint;
}

const REFERENCE = /^\s*((?:hpa|hva|gpa|gva)(?:@[^:\s]+)?)\s*:\s*(0x[0-9a-f]+|\d+)\s*$/i;
const NUMBER = /^\s*(?:0x[0-9a-f]+|\d+)\s*$/i;

/** Whether the adapter takes the text as a memory reference; else it is an expression. */
export const isReference = (text: string): boolean => REFERENCE.test(text) || NUMBER.test(text);

/** A reference with its space, as the adapter answers it. */
export function parsePlace(reference: string): Place | undefined {
  const found = REFERENCE.exec(reference);
  if (!found) return undefined;
  const address = BigInt(found[2]!);
  return address < LIMIT ? { space: found[1]!, address } : undefined;
}

export const hex = (value: bigint | number, digits = 1): string =>
  `0x${value.toString(16).padStart(digits, "0")}`;

export const formatPlace = ({ space, address }: Place): string => `${space}:${hex(address)}`;

/** The first row of a window of so many rows that shows the address and stays within 64 bits. */
export function rowAt(address: bigint, rows: number): bigint {
  const last = LIMIT - BigInt(Math.max(1, rows) * ROW_BYTES);
  const row = address - (((address % 16n) + 16n) % 16n);
  if (row < 0n) return 0n;
  return row > last ? last : row;
}

/** The address kept within 64 bits. */
export function clamped(address: bigint): bigint {
  if (address < 0n) return 0n;
  return address < LIMIT ? address : LIMIT - 1n;
}
