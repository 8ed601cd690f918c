// Bytes of any row in any shape that it has: mode, operand-size prefixes, register or memory operand.

import type { CodeSize } from "../../../emulator/decode/decoder.ts";
import type { ParsedRow } from "../../../emulator/decode/form.ts";
import { widthOf } from "../../../emulator/decode/operands.ts";
import type { Random } from "../../harness/random.ts";

export interface Shape {
  readonly bits: CodeSize;
  readonly sizing: "none" | "66" | "W";
  /** The ModRM operand is memory at [rSI + 8 bits]. */
  readonly memory: boolean;
}

export const BITS: readonly CodeSize[] = [16, 32, 64];

/** Whether the row's ModRM operand can be memory, and a register. */
function addressings({ encoding, operands }: ParsedRow): readonly boolean[] {
  if (!encoding.hasModRm || encoding.fixedModRm !== undefined) return [false];
  if (operands.some((o) => o.place === "memory")) return [true];
  if (operands.some((o) => o.place === "rmRegister")) return [false];
  return operands.some((o) => o.place === "rm") ? [false, true] : [false];
}

/** Every shape in which the row's bytes mean the row. */
export function shapesOf(parsed: ParsedRow): Shape[] {
  const { row, encoding } = parsed;
  return BITS.flatMap((bits) => {
    if (bits === 64 ? row.not64 : row.only64) return [];
    const sizings = (["none", "66", "W"] as const).filter(
      (sizing) =>
        (sizing !== "W" || bits === 64) && (sizing !== "66" || encoding.prefix === undefined),
    );
    return sizings.flatMap((sizing) =>
      addressings(parsed).map((memory) => ({ bits, sizing, memory })),
    );
  });
}

/** Operand size of a shape in bytes. */
export function operandSizeOf({ row, encoding }: ParsedRow, shape: Shape): 2 | 4 | 8 {
  const prefixed = shape.sizing === "66" || encoding.prefix === "66";
  if (shape.bits !== 64) return (shape.bits === 32) === prefixed ? 2 : 4;
  if (row.force64 || shape.sizing === "W") return 8;
  if (prefixed) return 2;
  return row.default64 ? 8 : 4;
}

function immediateBytes(parsed: ParsedRow, shape: Shape, random: Random): number[] {
  const size = operandSizeOf(parsed, shape);
  const address = shape.bits / 8;
  return parsed.operands.flatMap((operand) => {
    const count = (): number => {
      switch (operand.place) {
        case "moffs":
          return address;
        case "far":
          return size + 2;
        case "immediate":
        case "relative":
          return operand.width === "ibs" ? 1 : widthOf(operand, size, shape.bits === 64);
        default:
          return 0;
      }
    };
    return Array.from({ length: count() }, () => random.below(256));
  });
}

/** REG of ModRM where it names a register: numbers that exist in every register file. */
const REGISTERS: Partial<Record<string, readonly number[]>> = {
  segment: [0, 3, 4, 5],
  control: [0, 2, 3, 4],
  debug: [0, 1, 2, 3, 6, 7],
};

function modRmBytes(parsed: ParsedRow, shape: Shape, random: Random): number[] {
  const { encoding, operands } = parsed;
  if (!encoding.hasModRm) return [];
  if (encoding.fixedModRm !== undefined) {
    return [encoding.fixedModRm + (encoding.modRmRange ? random.below(8) : 0)];
  }
  const named = operands.find((o) => o.place === "reg");
  const reg = encoding.extension ?? random.pick(REGISTERS[named?.file ?? ""] ?? [0, 1, 2, 3, 7]);
  if (!shape.memory) return [0xc0 | (reg << 3) | random.pick([0, 1, 2, 3, 7])];
  // [SI + d8] and [ESI + d8]: rm is 4 and 6.
  return [0x40 | (reg << 3) | (shape.bits === 16 ? 4 : 6), random.below(128)];
}

/** Bytes of the row in the shape; prefixes other than those that the shape means are left out. */
export function bytesOf(parsed: ParsedRow, shape: Shape, random: Random): number[] {
  const { encoding } = parsed;
  const bytes: number[] = [];
  if (shape.sizing === "66") bytes.push(0x66);
  if (encoding.prefix !== undefined && encoding.prefix !== "NP") {
    bytes.push(Number.parseInt(encoding.prefix, 16));
  }
  if (shape.sizing === "W") bytes.push(0x48);
  bytes.push(...([[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]][encoding.map] ?? []));
  // Register 0 of 90 +r is NOP, a row of its own.
  bytes.push(encoding.opcode + (encoding.registerInOpcode ? 1 + random.below(3) : 0));
  bytes.push(...modRmBytes(parsed, shape, random), ...immediateBytes(parsed, shape, random));
  return bytes;
}
