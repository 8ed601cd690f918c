/** Bytes to instructions, driven by the rows alone. */

import type { Row } from "../instructions/row.ts";
import { CPU_FIELDS, type SegmentRegister, xmmOffset } from "../state/cpu-fields.ts";
import { type Encoding, type OpcodeMap, parseEncoding } from "./encoding.ts";
import { type Form, FormTable, type ParsedRow } from "./form.ts";
import type { Instruction } from "./instruction.ts";
import { type Operand, parseOperands, widthOf } from "./operands.ts";

/** Code size of the current mode: 16-bit, 32-bit (legacy or compatibility) or 64-bit. */
export type CodeSize = 16 | 32 | 64;

/** Longest legal instruction. */
export const LONGEST_INSTRUCTION = 15;

/** Why bytes did not decode. "moreBytes": the instruction goes on beyond the bytes given. */
export type DecodeFailure = "moreBytes" | "tooLong" | "undefined";

const SEGMENT_PREFIXES: Record<number, SegmentRegister> = {
  38: "es",
  46: "cs",
  54: "ss",
  62: "ds",
  100: "fs",
  101: "gs",
};

interface Prefixes {
  operandSize: boolean;
  addressSize: boolean;
  repeat: 0 | 0xf2 | 0xf3;
  lock: boolean;
  segment: SegmentRegister | undefined;
  rex: number;
}

interface MemoryOperand {
  rmOffset: number;
  indexOffset: number;
  scale: number;
  displacement: number;
  segment: SegmentRegister;
  ripRelative: boolean;
}

class Cursor {
  at = 0;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  private readonly bytes: Uint8Array;

  u8(): number {
    if (this.at >= LONGEST_INSTRUCTION) throw "tooLong" satisfies DecodeFailure;
    // Asked before: a read out of bounds is slow, and makes those within slow.
    if (this.at >= this.bytes.length) throw "moreBytes" satisfies DecodeFailure;
    return this.bytes[this.at++] as number;
  }

  signed(bytes: number): bigint {
    const low = this.signed32(Math.min(bytes, 4));
    if (bytes <= 4) return BigInt(low);
    return (BigInt(this.signed32(bytes - 4)) << 32n) | BigInt(low >>> 0);
  }

  private signed32(bytes: number): number {
    let value = 0;
    for (let i = 0; i < bytes; i++) value |= this.u8() << (8 * i);
    const unused = 32 - 8 * bytes;
    return (value << unused) >> unused;
  }
}

const GENERAL = (n: number): number => n * 8;
const NO_REGISTER = CPU_FIELDS.zero.offset;
const TWO_TO_THE_32 = CPU_FIELDS.twoToThe32.offset;

export class Decoder {
  readonly formTable = new FormTable();
  readonly parsedRows: readonly ParsedRow[];
  private readonly tables: ParsedRow[][] = Array.from({ length: 4 * 256 }, () => []);

  constructor(rows: readonly Row[]) {
    this.parsedRows = rows.map((row, index) => ({
      row,
      index,
      encoding: parseEncoding(row.encoding),
      operands: parseOperands(row.operands),
    }));
    for (const parsed of this.parsedRows) this.enter(parsed);
    for (const list of this.tables) list.sort((a, b) => specificity(b) - specificity(a));
  }

  private enter(parsed: ParsedRow): void {
    const { map, opcode, registerInOpcode } = parsed.encoding;
    for (let i = 0; i < (registerInOpcode ? 8 : 1); i++) {
      this.tables[map * 256 + opcode + i]?.push(parsed);
    }
  }

  /** Decodes the instruction at the start of `bytes`; give up to 15. */
  decode(bytes: Uint8Array, code: CodeSize): Instruction | DecodeFailure {
    try {
      return this.decodeOrThrow(new Cursor(bytes), code);
    } catch (failure) {
      if (typeof failure === "string") return failure as DecodeFailure;
      throw failure;
    }
  }

  private decodeOrThrow(cursor: Cursor, code: CodeSize): Instruction {
    const { prefixes, map, opcode } = readOpcode(cursor, code);
    const candidates = this.tables[map * 256 + opcode] ?? [];
    const needsModRm = candidates.some((c) => c.encoding.hasModRm);
    const modRm = needsModRm ? cursor.u8() : undefined;
    const parsed = candidates.find((c) => matches(c, prefixes, modRm, code));
    if (parsed === undefined) throw "undefined" satisfies DecodeFailure;
    if (needsModRm && !parsed.encoding.hasModRm) cursor.at--;
    const registerForm = modRm === undefined || parsed.operands.some(isWord);
    return this.operands(
      cursor,
      code,
      parsed,
      prefixes,
      opcode,
      (modRm ?? 0) | (registerForm ? 0xc0 : 0),
    );
  }

  private operands(
    cursor: Cursor,
    code: CodeSize,
    parsed: ParsedRow,
    prefixes: Prefixes,
    opcode: number,
    modRm: number,
  ): Instruction {
    const long = code === 64;
    const operandSize = operandSizeOf(parsed.row, prefixes, code);
    const addressSize = addressSizeOf(prefixes, code);
    const memory =
      parsed.encoding.hasModRm && modRm < 0xc0
        ? readMemory(cursor, prefixes, modRm, addressSize, long)
        : undefined;
    const moffs = parsed.operands.some((o) => o.place === "moffs");
    const segment = memory?.segment ?? prefixes.segment ?? "ds";
    const form = this.formTable.get({
      parsed,
      operandSize,
      addressSize,
      long,
      addressing: moffs ? "moffs" : memory !== undefined ? "modRm" : "none",
      based: !long || segment === "fs" || segment === "gs",
      repeatPrefix: repeatPrefixOf(parsed, prefixes),
    });
    checkLock(parsed.row, prefixes, memory !== undefined);
    const immediate = readImmediates(cursor, parsed.operands, operandSize, addressSize, long);
    const regNumber = regNumberOf(parsed, prefixes, opcode, modRm);
    const rmNumber = (modRm & 7) | ((prefixes.rex & 1) << 3);
    const displacement = (memory?.displacement ?? 0) + (memory?.ripRelative ? cursor.at : 0);
    const wrapped = displacement | 0;
    return {
      form,
      length: cursor.at,
      regNumber,
      rmNumber,
      regOffset: registerOffset(parsed.operands, REG_PLACES, regNumber, form, prefixes.rex !== 0),
      rmOffset:
        memory?.rmOffset ??
        registerOffset(parsed.operands, RM_PLACES, rmNumber, form, prefixes.rex !== 0),
      indexOffset: wrapped === displacement ? (memory?.indexOffset ?? NO_REGISTER) : TWO_TO_THE_32,
      scale: memory?.scale ?? 0,
      displacement: wrapped,
      immediate,
      segment,
      lock: prefixes.lock,
    };
  }
}

/** More specific rows are tried first. */
function specificity(parsed: ParsedRow): number {
  const e = parsed.encoding;
  return (
    (e.fixedModRm !== undefined ? (e.modRmRange ? 8 : 16) : 0) +
    (e.prefix !== undefined ? 4 : 0) +
    (e.registerInOpcode ? 0 : 2) +
    (e.extension !== undefined ? 1 : 0)
  );
}

function readOpcode(
  cursor: Cursor,
  code: CodeSize,
): { prefixes: Prefixes; map: OpcodeMap; opcode: number } {
  const prefixes: Prefixes = {
    operandSize: false,
    addressSize: false,
    repeat: 0,
    lock: false,
    segment: undefined,
    rex: 0,
  };
  let opcode = cursor.u8();
  for (;;) {
    const segment = SEGMENT_PREFIXES[opcode];
    if (segment !== undefined) {
      // In 64-bit mode ES, CS, SS and DS overrides are ignored (APM volume 3, section 1.2.4).
      if (code !== 64 || segment === "fs" || segment === "gs") prefixes.segment = segment;
    } else if (opcode === 0x66) prefixes.operandSize = true;
    else if (opcode === 0x67) prefixes.addressSize = true;
    else if (opcode === 0xf0) prefixes.lock = true;
    else if (opcode === 0xf2 || opcode === 0xf3) prefixes.repeat = opcode;
    else if (code === 64 && (opcode & 0xf0) === 0x40) {
      prefixes.rex = opcode;
      opcode = cursor.u8();
      if (isPrefix(opcode) || (opcode & 0xf0) === 0x40) {
        prefixes.rex = 0;
        continue;
      }
      break;
    } else break;
    opcode = cursor.u8();
  }
  if (opcode !== 0x0f) return { prefixes, map: 0, opcode };
  opcode = cursor.u8();
  if (opcode === 0x38) return { prefixes, map: 2, opcode: cursor.u8() };
  if (opcode === 0x3a) return { prefixes, map: 3, opcode: cursor.u8() };
  return { prefixes, map: 1, opcode };
}

function isPrefix(byte: number): boolean {
  return SEGMENT_PREFIXES[byte] !== undefined || [0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(byte);
}

function matches(
  { row, encoding, operands }: ParsedRow,
  prefixes: Prefixes,
  modRm: number | undefined,
  code: CodeSize,
): boolean {
  if (row.not64 && code === 64) return false;
  if (row.only64 && code !== 64) return false;
  if (!prefixMatches(encoding, prefixes)) return false;
  if (!encoding.hasModRm || modRm === undefined) {
    // 90 is NOP only without REX.B; with it the row with the register in the opcode applies.
    return encoding.registerInOpcode || (prefixes.rex & 1) === 0 || !SHADOWS.has(encoding.opcode);
  }
  if (encoding.fixedModRm !== undefined) {
    const mask = encoding.modRmRange ? 0xf8 : 0xff;
    if ((modRm & mask) !== encoding.fixedModRm) return false;
  }
  if (encoding.extension !== undefined && ((modRm >> 3) & 7) !== encoding.extension) return false;
  const memory = modRm < 0xc0;
  return operands.every(
    (o) => (o.place !== "memory" || memory) && (o.place !== "rmRegister" || !memory || isWord(o)),
  );
}

/** Opcodes whose plain row shares its byte with a row that has the register in the opcode. */
const SHADOWS = new Set([0x90]);

/** MOV to and from control registers treats every ModRM as the register form. */
function isWord(operand: Operand): boolean {
  return operand.width === "m";
}

function prefixMatches(encoding: Encoding, prefixes: Prefixes): boolean {
  switch (encoding.prefix) {
    case undefined:
      return true;
    case "NP":
      return !prefixes.operandSize && prefixes.repeat === 0;
    case "66":
      return prefixes.operandSize && prefixes.repeat === 0;
    case "F2":
      return prefixes.repeat === 0xf2;
    case "F3":
      return prefixes.repeat === 0xf3;
  }
}

function operandSizeOf(row: Row, prefixes: Prefixes, code: CodeSize): 2 | 4 | 8 {
  if (code === 64) {
    if (row.force64 || (prefixes.rex & 8) !== 0) return 8;
    if (prefixes.operandSize) return 2;
    return row.default64 ? 8 : 4;
  }
  return (code === 32) === prefixes.operandSize ? 2 : 4;
}

function addressSizeOf(prefixes: Prefixes, code: CodeSize): 2 | 4 | 8 {
  if (code === 64) return prefixes.addressSize ? 4 : 8;
  return (code === 32) === prefixes.addressSize ? 2 : 4;
}

function repeatPrefixOf(parsed: ParsedRow, prefixes: Prefixes): "none" | "REP" | "REPNE" {
  if (!parsed.row.repeat || prefixes.repeat === 0) return "none";
  return prefixes.repeat === 0xf2 ? "REPNE" : "REP";
}

function checkLock(row: Row, prefixes: Prefixes, memory: boolean): void {
  if (prefixes.lock && !(row.lock && memory)) throw "undefined" satisfies DecodeFailure;
}

const REG_PLACES = new Set(["reg", "opcode"]);
const RM_PLACES = new Set(["rm", "rmRegister"]);

function regNumberOf(parsed: ParsedRow, prefixes: Prefixes, opcode: number, modRm: number): number {
  if (parsed.encoding.registerInOpcode) return (opcode & 7) | ((prefixes.rex & 1) << 3);
  const segment = parsed.operands.some((o) => o.place === "reg" && o.file === "segment");
  return ((modRm >> 3) & 7) | (segment ? 0 : (prefixes.rex & 4) << 1);
}

/** Where the register operand at one of `places` lives in the CPU state. */
function registerOffset(
  operands: readonly Operand[],
  places: ReadonlySet<string>,
  number: number,
  form: Form,
  rex: boolean,
): number {
  const operand = operands.find((o) => places.has(o.place));
  if (operand === undefined) return NO_REGISTER;
  switch (operand.file) {
    case "xmm":
      return xmmOffset(number);
    case "mmx":
      return CPU_FIELDS.fpr0.offset + (number & 7) * 16;
    case "general": {
      const byte = widthOf(operand, form.operandSize, form.long) === 1;
      // Without REX, byte registers 4-7 are AH, CH, DH and BH.
      return byte && !rex && number >= 4 ? GENERAL(number - 4) + 1 : GENERAL(number);
    }
    default:
      return NO_REGISTER;
  }
}

function readMemory(
  cursor: Cursor,
  prefixes: Prefixes,
  modRm: number,
  addressSize: 2 | 4 | 8,
  long: boolean,
): MemoryOperand {
  return addressSize === 2
    ? readMemory16(cursor, prefixes, modRm)
    : readMemory32(cursor, prefixes, modRm, long);
}

const BX = GENERAL(3);
const BP = GENERAL(5);
const SI = GENERAL(6);
const DI = GENERAL(7);
const PAIRS_16: readonly (readonly [base: number, index: number, stack: boolean])[] = [
  [BX, SI, false],
  [BX, DI, false],
  [BP, SI, true],
  [BP, DI, true],
  [SI, NO_REGISTER, false],
  [DI, NO_REGISTER, false],
  [BP, NO_REGISTER, true],
  [BX, NO_REGISTER, false],
];

function readMemory16(cursor: Cursor, prefixes: Prefixes, modRm: number): MemoryOperand {
  const mod = modRm >> 6;
  const direct = mod === 0 && (modRm & 7) === 6;
  const [base, index, stack] = direct
    ? ([NO_REGISTER, NO_REGISTER, false] as const)
    : (PAIRS_16[modRm & 7] ?? ([NO_REGISTER, NO_REGISTER, false] as const));
  const bytes = direct || mod === 2 ? 2 : mod;
  return {
    rmOffset: base,
    indexOffset: index,
    scale: 0,
    displacement: Number(cursor.signed(bytes)),
    segment: prefixes.segment ?? (stack ? "ss" : "ds"),
    ripRelative: false,
  };
}

function readMemory32(
  cursor: Cursor,
  prefixes: Prefixes,
  modRm: number,
  long: boolean,
): MemoryOperand {
  const mod = modRm >> 6;
  let rm = modRm & 7;
  let indexOffset = NO_REGISTER;
  let scale = 0;
  const sib = rm === 4;
  if (sib) {
    const byte = cursor.u8();
    const index = ((byte >> 3) & 7) | ((prefixes.rex & 2) << 2);
    if (index !== 4) {
      indexOffset = GENERAL(index);
      scale = byte >> 6;
    }
    rm = byte & 7;
  }
  const noBase = mod === 0 && rm === 5;
  const ripRelative = noBase && !sib && long;
  const base = rm | ((prefixes.rex & 1) << 3);
  const stack = !noBase && (base === 4 || base === 5);
  return {
    rmOffset: ripRelative ? CPU_FIELDS.rip.offset : noBase ? NO_REGISTER : GENERAL(base),
    indexOffset,
    scale,
    displacement: Number(cursor.signed(noBase || mod === 2 ? 4 : mod)),
    segment: prefixes.segment ?? (stack ? "ss" : "ds"),
    ripRelative,
  };
}

function readImmediates(
  cursor: Cursor,
  operands: readonly Operand[],
  operandSize: 2 | 4 | 8,
  addressSize: 2 | 4 | 8,
  long: boolean,
): bigint {
  let value = 0n;
  let shift = 0n;
  for (const operand of operands) {
    const width = widthOf(operand, operandSize, long);
    if (operand.place === "immediate" || operand.place === "relative") {
      const bytes = operand.width === "ibs" ? 1 : width;
      const part = cursor.signed(bytes);
      // A second immediate (ENTER) stands above the first.
      value = shift === 0n ? part : BigInt.asUintN(Number(shift), value) | (part << shift);
      shift += BigInt(8 * bytes);
    } else if (operand.place === "moffs") {
      value = BigInt.asUintN(64, cursor.signed(addressSize));
      if (addressSize < 8) value = BigInt.asUintN(8 * addressSize, value);
    } else if (operand.place === "far") {
      const offset = BigInt.asUintN(8 * operandSize, cursor.signed(operandSize));
      const selector = BigInt.asUintN(16, cursor.signed(2));
      value = offset | (selector << BigInt(8 * operandSize));
    }
  }
  return value;
}
