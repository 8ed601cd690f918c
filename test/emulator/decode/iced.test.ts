// Our decoder against iced-x86 on random bytes: lengths, memory operands, immediates, branch targets,
// and what we call undefined.
import {
  DecoderOptions,
  type Instruction as Iced,
  CodeSize as IcedCodeSize,
  Decoder as IcedDecoder,
  Mnemonic,
  OpKind,
  Register,
} from "iced-x86";
import { describe, expect, test } from "vitest";
import { type CodeSize, Decoder } from "../../../emulator/decode/decoder.ts";
import type { Instruction } from "../../../emulator/decode/instruction.ts";
import { widthOf } from "../../../emulator/decode/operands.ts";
import { ROWS } from "../../../emulator/instructions/index.ts";
import { CPU_FIELDS, GENERAL_REGISTERS } from "../../../emulator/state/cpu-fields.ts";
import { Random } from "../../harness/random.ts";
import { BITS } from "./row-bytes.ts";

const SEED = 86;
const STRINGS = 60_000;
const ADDRESS = 0x1000n;

/** A difference that is meant: bytes (in hexadecimal) and why. */
interface Explained {
  readonly bytes: RegExp;
  readonly why: string;
}

/** Bytes that we decode and iced does not. */
const ONLY_OURS: readonly Explained[] = [
  { bytes: /8[ce] /, why: "MOV with segment registers that do not exist: #UD when it runs" },
  { bytes: /0f 2[0-3] /, why: "MOV with control registers that do not exist: #UD when it runs" },
];

/** Bytes that iced decodes to the name of an instruction of ours, and that we call undefined. */
const ONLY_ICED: readonly Explained[] = [
  { bytes: /f0 .*0f 2[02] /, why: "CR8 by LOCK needs AltMovCr8, which CPUID does not report" },
  { bytes: /0f 0d [c-f]/, why: "PREFETCH takes memory only" },
];

const explained = (list: readonly Explained[], bytes: string): boolean =>
  list.some((entry) => entry.bytes.test(bytes));

const decoder = new Decoder(ROWS);

/** Random bytes, half of them after prefixes or an escape, so that every map is reached. */
function bytesFrom(random: Random): Uint8Array {
  const out = Uint8Array.from({ length: 15 }, () => random.below(256));
  const lead = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x40, 0x48, 0x44, 0x41];
  let at = 0;
  while (at < 4 && random.oneIn(3)) out[at++] = random.pick(lead);
  if (random.oneIn(2)) out[at++] = 0x0f;
  return out;
}

const text = (bytes: Uint8Array, length = 15): string =>
  Array.from(bytes.subarray(0, length), (b) => b.toString(16).padStart(2, "0")).join(" ");

function decodeIced(bytes: Uint8Array, bits: CodeSize): Iced {
  const iced = new IcedDecoder(bits, bytes, DecoderOptions.AMD);
  iced.ip = ADDRESS;
  const instruction = iced.decode();
  iced.free();
  return instruction;
}

/** "rax", "none", as both sides would name a base or index; iced's EAX and AX are rax too. */
function icedRegister(register: Register): string {
  const name = Register[register]?.toLowerCase() ?? "";
  if (name === "none" || name === "rip" || name === "eip") return "none";
  const numbered = /^r(\d+)/.exec(name);
  if (numbered) return `r${numbered[1]}`;
  return `r${name.replace(/^[re]/, "")}`;
}

function ourRegister(offset: number): string {
  if (offset === CPU_FIELDS.zero.offset || offset === CPU_FIELDS.rip.offset) return "none";
  return GENERAL_REGISTERS[offset / 8] ?? `offset ${offset}`;
}

/** 16-bit base and index are a sum: their order is nobody's. */
const pair = (base: string, index: string, scale: number): string =>
  scale === 0 ? [base, index].sort().join(" + ") : `${base} + ${index} << ${scale}`;

function ourMemory(i: Instruction): string {
  const relative = i.rmOffset === CPU_FIELDS.rip.offset;
  const place = relative ? ADDRESS + BigInt(i.displacement) : BigInt(i.displacement);
  const mask = 8 * i.form.addressSize;
  const registers = pair(ourRegister(i.rmOffset), ourRegister(i.indexOffset), i.scale);
  return `${i.segment}:${registers} + ${BigInt.asUintN(mask, place)}`;
}

/** iced names an override of ES, CS, SS or DS in 64-bit mode, where it does nothing. */
function segmentOf(i: Iced): string {
  const named = Register[i.memorySegment]?.toLowerCase() ?? "";
  if (i.codeSize !== IcedCodeSize.Code64 || named === "fs" || named === "gs") return named;
  return ["rsp", "rbp"].includes(icedRegister(i.memoryBase)) ? "ss" : "ds";
}

function icedMemory(i: Iced, addressSize: number): string {
  const index = icedRegister(i.memoryIndex);
  const scale = index === "none" ? 0 : Math.log2(i.memoryIndexScale);
  const registers = pair(icedRegister(i.memoryBase), index, scale);
  const place = BigInt.asUintN(8 * addressSize, i.memoryDisplacement);
  return `${segmentOf(i)}:${registers} + ${place}`;
}

function hasMemory(i: Iced): boolean {
  for (let n = 0; n < i.opCount; n++) if (i.opKind(n) === OpKind.Memory) return true;
  return false;
}

const IMMEDIATES: ReadonlySet<OpKind> = new Set([
  OpKind.Immediate8,
  OpKind.Immediate16,
  OpKind.Immediate32,
  OpKind.Immediate64,
  OpKind.Immediate8to16,
  OpKind.Immediate8to32,
  OpKind.Immediate8to64,
  OpKind.Immediate32to64,
]);

/** What differs in immediates and targets, for instructions with one of them. */
function immediateProblem(ours: Instruction, iced: Iced): string | undefined {
  const { operands } = ours.form.parsed;
  const at = operands.findIndex((o) => o.place === "immediate" || o.place === "relative");
  const operand = operands[at];
  if (operand === undefined || operands.filter((o) => o.place === "immediate").length > 1) {
    return undefined;
  }
  if (operand.place === "relative") {
    const target = BigInt.asUintN(
      8 * ours.form.operandSize,
      ADDRESS + BigInt(ours.length) + ours.immediate,
    );
    return target === iced.nearBranchTarget ? undefined : `target ${target}`;
  }
  for (let n = 0; n < iced.opCount; n++) {
    if (!IMMEDIATES.has(iced.opKind(n))) continue;
    const bits = 8 * widthOf(operand, ours.form.operandSize, ours.form.long);
    const [a, b] = [ours.immediate, iced.immediate(n)].map((v) => BigInt.asUintN(bits, v));
    return a === b ? undefined : `immediate ${a}, not ${b}`;
  }
  return undefined;
}

/** What our decoding gets wrong by iced's, if anything. */
function problem(ours: Instruction, iced: Iced): string | undefined {
  if (iced.length !== ours.length) return `length ${ours.length}, not ${iced.length}`;
  const memory = ours.form.addressing === "modRm";
  if (memory && hasMemory(iced)) {
    const [a, b] = [ourMemory(ours), icedMemory(iced, ours.form.addressSize)];
    if (a !== b) return `memory ${a}, not ${b}`;
  }
  return immediateProblem(ours, iced);
}

describe.each(BITS)("%i bits, seed 86", (bits) => {
  const random = new Random(SEED + bits);
  const strings = Array.from({ length: STRINGS }, () => bytesFrom(random));
  const wrong = new Map<string, string>();
  const rejected = new Map<string, string>();
  const accepted = new Map<string, string>();
  const known = new Map<string, Set<string>>();
  for (const bytes of strings) {
    const iced = decodeIced(bytes, bits);
    const ours = decoder.decode(bytes, bits);
    const icedName = iced.mnemonic === Mnemonic.INVALID ? undefined : Mnemonic[iced.mnemonic];
    const shown = text(bytes, typeof ours === "string" ? iced.length : ours.length);
    if (typeof ours === "string") {
      if (icedName !== undefined && !explained(ONLY_ICED, shown)) rejected.set(icedName, shown);
    } else if (icedName === undefined) {
      if (!explained(ONLY_OURS, shown)) accepted.set(ours.form.row.mnemonic, shown);
    } else {
      const names = known.get(icedName) ?? new Set();
      known.set(icedName, names.add(ours.form.row.mnemonic));
      const found = problem(ours, iced);
      if (found) wrong.set(ours.form.row.mnemonic, `${text(bytes, ours.length)}: ${found}`);
    }
    iced.free();
  }

  test("what both decode has the same length, operands and targets", () => {
    expect(Object.fromEntries(wrong)).toEqual({});
    expect(known.size).toBeGreaterThan(250);
  });

  test("what we decode is valid, or on the list", () => {
    expect(Object.fromEntries(accepted)).toEqual({});
  });

  test("what we call undefined has no name among the instructions that we have, or is on the list", () => {
    const shared = [...rejected].filter(([mnemonic]) => known.has(mnemonic));
    expect(Object.fromEntries(shared)).toEqual({});
  });
});
