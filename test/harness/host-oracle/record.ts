/** Records test/vectors/integer.txt.gz from the host CPU. Bundled and called by record.sh: ORACLE OUTPUT [SEED]. */

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { parseOperands } from "../../../emulator/decode/operands.ts";
import { INTEGER_ROWS } from "../../../emulator/instructions/index.ts";
import type { Row } from "../../../emulator/instructions/row.ts";
import { Random } from "../random.ts";
import { makersDiffer } from "./differences.ts";
import { encode, type Variant } from "./encode.ts";
import { type Shape, shapeOf } from "./shapes.ts";
import {
  type Bits,
  baseState,
  COMPARED_FLAGS,
  codeOffset,
  formatVectors,
  rowKey,
  type Vector,
  type VectorState,
  WINDOW,
} from "./vector.ts";

interface Planned {
  readonly bits: Bits;
  readonly row: string;
  readonly code: Uint8Array;
  readonly before: VectorState;
}

const STATUS_AND_NONE = 0x8d5n;

/** Operand-size prefixes that make a difference to the row. */
function sizingsOf(row: Row, bits: Bits): Variant["sizing"][] {
  const operands = parseOperands(row.operands);
  const fixed = operands.length > 0 && operands.every((o) => typeof o.width === "number");
  const prefixed = /^(NP|66|F2|F3) /.test(row.encoding);
  const relative = operands.some((o) => o.place === "relative");
  if (row.mnemonic !== "CMPXCHG8B" && fixed && !relative) return ["none"];
  const sizings: Variant["sizing"][] = prefixed ? ["none"] : ["none", "66"];
  return bits === 64 ? [...sizings, "W"] : sizings;
}

/** Register form, memory form, or both. */
function shapesOfOperand(row: Row): boolean[] {
  const places = parseOperands(row.operands).map((o) => o.place);
  if (places.includes("memory")) return [true];
  return places.includes("rm") ? [false, true] : [false];
}

function variantsOf(row: Row): Variant[] {
  const modes: Bits[] = row.not64 ? [32, 16] : row.only64 ? [64] : [64, 32, 16];
  const repeats: Variant["repeat"][] = row.repeat ? ["none", "F2", "F3"] : ["none"];
  return modes.flatMap((bits) =>
    sizingsOf(row, bits).flatMap((sizing) =>
      shapesOfOperand(row).flatMap((memory) =>
        repeats.map((repeat) => ({ bits, sizing, memory, repeat })),
      ),
    ),
  );
}

function placeOf(row: Row, variant: Variant, random: Random): number {
  if (row.mnemonic !== "CMPXCHG8B") return 16 + random.below(25);
  const aligned = variant.sizing !== "W" || !random.oneIn(6);
  return aligned ? random.pick([0, 16, 32, 48]) : 24;
}

function fillMemory(state: VectorState, at: number, random: Random, bytes: number): void {
  for (let i = 0; i < 16 && at + i < WINDOW; i += bytes) {
    const value = random.value(bytes);
    for (let j = 0; j < bytes; j++) {
      state.memory[at + i + j] = Number((value >> BigInt(8 * j)) & 0xffn);
    }
  }
}

/** A full register whose low part is an interesting operand. */
function operandValue(random: Random, bits: Bits, bytes: number): bigint {
  const wide = BigInt.asUintN(bits === 64 ? 64 : 32, random.u64());
  return ((wide >> BigInt(8 * bytes)) << BigInt(8 * bytes)) | random.value(bytes);
}

function plan(row: Row, variant: Variant, shape: Shape, random: Random): Planned {
  const { bits } = variant;
  const state = baseState(bits);
  const at = placeOf(row, variant, random);
  const encoded = encode(row, variant, random, at, new Set(shape.reserved));
  const byte = /[EG]b|AL|Zb/.test(row.operands);
  const bytes = byte ? 1 : encoded.operandSize;
  const limit = bits === 64 ? 16 : 8;
  const named = encoded.registers.flatMap((r) => (byte ? [r, r & 3] : [r]));
  for (const register of new Set([...shape.random, ...named])) {
    if (register < limit) state.registers[register] = operandValue(random, bits, bytes);
  }
  if (variant.memory || row.operands.includes("O")) fillMemory(state, at, random, bytes);
  state.flags = BigInt(random.u32()) & STATUS_AND_NONE;
  for (const [register, value] of encoded.addressing) state.registers[register] = value;
  const code = [...encoded.code];
  shape.prepare?.({ random, encoded, bits, state, code });
  return { bits, row: rowKey(row), code: Uint8Array.from(code), before: state };
}

const INPUT_BYTES = 2 + 14 + 16 * 8 + 8 + WINDOW;
const OUTPUT_BYTES = 16 * 8 + 16 + WINDOW + 8;

function writeInput(view: DataView, { bits, code, before }: Planned): void {
  view.setUint8(0, bits);
  view.setUint8(1, code.length);
  code.forEach((byte, i) => {
    view.setUint8(2 + i, byte);
  });
  before.registers.forEach((value, i) => {
    view.setBigUint64(16 + 8 * i, value, true);
  });
  view.setBigUint64(144, before.flags, true);
  before.memory.forEach((byte, i) => {
    view.setUint8(152 + i, byte);
  });
}

const BREAKPOINT = 3;
const PAGE_FAULT = 14;
/** Vectors that end in #SS or #PF are dropped: what is mapped is the host's affair. */
const MEMORY_FAULTS: readonly number[] = [12, PAGE_FAULT];

function fromOutput(planned: Planned, view: DataView): Vector {
  const width = planned.bits === 64 ? 64 : 32;
  const registers = planned.before.registers.map((_, i) =>
    BigInt.asUintN(i < 8 || width === 64 ? width : 64, view.getBigUint64(8 * i, true)),
  );
  const rip = view.getBigUint64(136, true);
  const vector = view.getUint32(208, true);
  // A branch to where nothing is mapped completes, and the fetch faults.
  const completed =
    vector === BREAKPOINT || (vector === PAGE_FAULT && rip !== codeOffset(planned.bits));
  const after: VectorState = {
    registers,
    flags: view.getBigUint64(128, true) & COMPARED_FLAGS,
    memory: Uint8Array.from({ length: WINDOW }, (_, i) => view.getUint8(144 + i)),
  };
  return { ...planned, after, rip, exception: completed ? undefined : vector };
}

function cpuModel(): string {
  const info = readFileSync("/proc/cpuinfo", "utf8");
  const field = (name: string): string =>
    new RegExp(`^${name}\\s*: (.*)$`, "m").exec(info)?.[1] ?? "unknown";
  const version = `family ${field("cpu family")} model ${field("model")} stepping ${field("stepping")}`;
  return `${field("vendor_id")} ${field("model name")}, ${version}`;
}

const VECTORS_PER_VARIANT = { 64: 8, 32: 2, 16: 2 };
/** Legacy-only rows have no 64-bit vectors to rely on. */
const VECTORS_PER_LEGACY_VARIANT = { 64: 0, 32: 24, 16: 4 };

function planAll(seed: number): Planned[] {
  const random = new Random(seed);
  return INTEGER_ROWS.flatMap((row) => {
    const shape = shapeOf(row);
    return variantsOf(row).flatMap((variant) => {
      const counts = row.not64 ? VECTORS_PER_LEGACY_VARIANT : VECTORS_PER_VARIANT;
      return Array.from({ length: counts[variant.bits] }, () => plan(row, variant, shape, random));
    });
  });
}

function main([oracle, output, seedText = "20260101"]: readonly string[]): void {
  if (oracle === undefined || output === undefined) throw new Error("ORACLE OUTPUT [SEED]");
  const seed = Number(seedText);
  const planned = planAll(seed);
  const input = new Uint8Array(planned.length * INPUT_BYTES);
  planned.forEach((p, i) => {
    writeInput(new DataView(input.buffer, i * INPUT_BYTES, INPUT_BYTES), p);
  });
  const run = spawnSync(oracle, { input, maxBuffer: 1 << 30 });
  if (run.status !== 0) throw new Error(`The oracle ended with ${run.status}: ${run.stderr}`);
  const cpu = cpuModel();
  const { buffer, byteOffset } = run.stdout;
  const vectors = planned
    .map((p, i) => fromOutput(p, new DataView(buffer, byteOffset + i * OUTPUT_BYTES, OUTPUT_BYTES)))
    .filter((v) => v.exception === undefined || !MEMORY_FAULTS.includes(v.exception))
    .filter((v) => cpu.startsWith("AuthenticAMD") || !makersDiffer(v));
  const faults = vectors.filter((v) => v.exception !== undefined).length;
  const header = [`Host CPU: ${cpu}`, `Seed: ${seed}`];
  const text = formatVectors(header, vectors);
  writeFileSync(output, Uint8Array.from(gzipSync(text, { level: 9 })));
  console.log(`seed ${seed}: ${vectors.length} vectors, ${faults} of them with an exception`);
}

main(process.argv.slice(2));
