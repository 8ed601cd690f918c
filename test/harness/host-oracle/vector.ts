/** The text form of recorded instruction vectors: what one instruction made of registers, flags and memory. */

import { GENERAL_REGISTERS } from "../../../emulator/state/cpu-fields.ts";

/** Where the recorder placed the instruction and the 64-byte window of memory it may touch. */
export const CODE_ADDRESS = 0x10000800n;
export const DATA_ADDRESS = 0x20000800n;

/** Code size: 64-bit mode, or protected mode with 32-bit flat or 16-bit segments over one page each. */
export type Bits = 16 | 32 | 64;

const PAGE_MASK = 0xfffn;

/** rip of the instruction, and offset of the window, in their segments. */
export function codeOffset(bits: Bits): bigint {
  return bits === 16 ? CODE_ADDRESS & PAGE_MASK : CODE_ADDRESS;
}
export function dataOffset(bits: Bits): bigint {
  return bits === 16 ? DATA_ADDRESS & PAGE_MASK : DATA_ADDRESS;
}

export const WINDOW = 64;

/** CF PF AF ZF SF DF OF NT AC ID: what is compared; IF, IOPL, RF and TF are the host kernel's. */
export const COMPARED_FLAGS = 0x244cd5n;

export interface VectorState {
  /** In encoding order. */
  readonly registers: bigint[];
  flags: bigint;
  readonly memory: Uint8Array;
}

export interface Vector {
  readonly bits: Bits;
  /** rowKey() of the row that the bytes were made from. */
  readonly row: string;
  readonly code: Uint8Array;
  readonly before: VectorState;
  readonly after: VectorState;
  readonly rip: bigint;
  /** Vector number of the exception that the instruction ended with. */
  readonly exception: number | undefined;
}

export function rowKey(row: { mnemonic: string; encoding: string; operands: string }): string {
  return `${row.mnemonic} | ${row.encoding} | ${row.operands}`;
}

/** What every register and byte holds unless a vector says otherwise. */
export function baseState(bits: Bits): VectorState {
  const ones = bits === 64 ? 0x0101010101010101n : 0x01010101n;
  const registers = GENERAL_REGISTERS.map((_, i) =>
    i < 8 || bits === 64 ? ones * BigInt(i + 1) : 0n,
  );
  const memory = Uint8Array.from({ length: WINDOW }, (_, i) => (i * 0x1f + 0x80) & 0xff);
  return { registers, flags: 0n, memory };
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

/** The differences from one state to another, as words. */
function changes(from: VectorState, to: VectorState): string[] {
  const words: string[] = [];
  GENERAL_REGISTERS.forEach((name, i) => {
    const value = to.registers[i] ?? 0n;
    if (value !== from.registers[i]) words.push(`${name}=${value.toString(16)}`);
  });
  if (to.flags !== from.flags) words.push(`f=${to.flags.toString(16)}`);
  const first = to.memory.findIndex((byte, i) => byte !== from.memory[i]);
  if (first >= 0) {
    const last = to.memory.findLastIndex((byte, i) => byte !== from.memory[i]);
    words.push(`m${first}=${toHex(to.memory.subarray(first, last + 1))}`);
  }
  return words;
}

function changed(from: VectorState, words: readonly string[]): VectorState {
  const state = { ...from, registers: [...from.registers], memory: from.memory.slice() };
  for (const word of words) {
    const [name = "", value = ""] = word.split("=");
    const register = (GENERAL_REGISTERS as readonly string[]).indexOf(name);
    if (register >= 0) state.registers[register] = BigInt(`0x${value}`);
    else if (name === "f") state.flags = BigInt(`0x${value}`);
    else state.memory.set(fromHex(value), Number(name.slice(1)));
  }
  return state;
}

function formatVector(vector: Vector): string {
  const expectedRip = codeOffset(vector.bits) + BigInt(vector.code.length);
  const outcome = changes(vector.before, vector.after);
  if (vector.exception !== undefined) outcome.push(`#${vector.exception}`);
  else if (vector.rip !== expectedRip) outcome.push(`rip=${vector.rip.toString(16)}`);
  const input = changes(baseState(vector.bits), vector.before);
  return [toHex(vector.code), ...input, ">", ...outcome].join(" ");
}

/** One line a vector, under a line "@ bits mnemonic | encoding | operands" for its row. */
export function formatVectors(header: readonly string[], vectors: readonly Vector[]): string {
  const lines = header.map((line) => `# ${line}`);
  let group = "";
  for (const vector of vectors) {
    const next = `@ ${vector.bits} ${vector.row}`;
    if (next !== group) lines.push(next);
    group = next;
    lines.push(formatVector(vector));
  }
  return `${lines.join("\n")}\n`;
}

function parseVector(line: string, bits: Bits, row: string): Vector {
  const [code = "", ...words] = line.split(" ");
  const split = words.indexOf(">");
  const outcome = words.slice(split + 1);
  const take = (prefix: string): string | undefined =>
    outcome.find((word) => word.startsWith(prefix))?.slice(prefix.length);
  const exception = take("#");
  const rip = take("rip=");
  const before = changed(baseState(bits), words.slice(0, split));
  const bytes = fromHex(code);
  return {
    bits,
    row,
    code: bytes,
    before,
    after: changed(
      before,
      outcome.filter((word) => !/^(#|rip=)/.test(word)),
    ),
    rip: rip === undefined ? codeOffset(bits) + BigInt(bytes.length) : BigInt(`0x${rip}`),
    exception: exception === undefined ? undefined : Number(exception),
  };
}

export function parseVectors(text: string): Vector[] {
  const vectors: Vector[] = [];
  let bits: Bits = 64;
  let row = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("@ ")) {
      bits = Number(line.slice(2, 4)) as Bits;
      row = line.slice(5);
    } else if (line !== "" && !line.startsWith("#")) {
      vectors.push(parseVector(line, bits, row));
    }
  }
  return vectors;
}
