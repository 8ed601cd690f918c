/** The few ACPI Machine Language terms that our tables need, as bytes (ACPI 6.0, chapter 20). */

import { ascii, u16, u32 } from "./bytes.ts";

/** Package length: counts itself; 6 bits in one byte, or 4 bits and up to three bytes more. */
function withLength(body: readonly number[]): number[] {
  if (body.length + 1 < 0x40) return [body.length + 1, ...body];
  const extra = body.length + 2 < 0x1000 ? 1 : 2;
  const total = body.length + 1 + extra;
  const bytes = [(extra << 6) | (total & 15), (total >> 4) & 0xff];
  if (extra === 2) bytes.push(total >> 12);
  return [...bytes, ...body];
}

const segment = (name: string) => ascii(name, 4, "_");

/** A name of one segment, from the root if it starts with a backslash. */
const nameString = (name: string) =>
  name.startsWith("\\") ? [0x5c, ...segment(name.slice(1))] : segment(name);

export function integer(value: number): number[] {
  if (value === 0 || value === 1) return [value];
  if (value < 0x100) return [0x0a, value];
  return value < 0x1_0000 ? [0x0b, ...u16(value)] : [0x0c, ...u32(value)];
}

export const name = (what: string, value: readonly number[]) => [
  0x08,
  ...nameString(what),
  ...value,
];

export const scope = (what: string, ...terms: readonly number[][]) => [
  0x10,
  ...withLength([...nameString(what), ...terms.flat()]),
];

export const device = (what: string, ...terms: readonly number[][]) => [
  0x5b,
  0x82,
  ...withLength([...nameString(what), ...terms.flat()]),
];

export const aPackage = (...elements: readonly number[][]) => [
  0x12,
  ...withLength([elements.length, ...elements.flat()]),
];

/** A compressed EISA identifier such as PNP0A03: three letters of five bits, four hex digits. */
export function eisaId(id: string): number[] {
  const [a, b, c] = ascii(id.slice(0, 3)).map((code) => code - 0x40) as [number, number, number];
  const letters = (a << 10) | (b << 5) | c;
  const digits = Number.parseInt(id.slice(3), 16);
  return [0x0c, letters >> 8, letters & 0xff, digits >> 8, digits & 0xff];
}

/** A buffer of resource descriptors, with its end tag. */
export function resources(...descriptors: readonly number[][]): number[] {
  const body = [...descriptors.flat(), 0x79, 0];
  return [0x11, ...withLength([...integer(body.length), ...body])];
}

/** Fixed I/O ports, decoded in 16 bits. */
export const ioPorts = (first: number, count: number) => [
  0x47,
  1,
  ...u16(first),
  ...u16(first),
  1,
  count,
];

/** One edge-triggered ISA interrupt. */
export const irq = (line: number) => [0x22, ...u16(1 << line)];

const FIXED_RANGE = 0x0c;

/** A window of buses (2), ports (1): word address space descriptor. */
export function wordWindow(type: 1 | 2, first: number, last: number): number[] {
  const specific = type === 1 ? 3 : 0;
  const range = [0, first, last, 0, last - first + 1].flatMap(u16);
  return [0x88, 13, 0, type, FIXED_RANGE, specific, ...range];
}

/** A window of memory: double word address space descriptor, read and write. */
export function memoryWindow(first: number, last: number): number[] {
  const range = [0, first, last, 0, last - first + 1].flatMap(u32);
  return [0x87, 23, 0, 0, FIXED_RANGE, 1, ...range];
}
