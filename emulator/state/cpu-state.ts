/** Named access to one vCPU's state in linear memory, generated from the field table. */

import { CPU_FIELDS, type Field, type FieldName, type FieldType } from "./cpu-fields.ts";

/** A descriptor register: each property reads and writes linear memory directly. */
export interface Segment {
  selector: number;
  /** VMCB form: type 3:0, S 4, DPL 6:5, P 7, AVL 8, L 9, D/B 10, G 11. */
  attributes: number;
  /** In bytes, already scaled by granularity. */
  limit: number;
  base: bigint;
}

/** One x87 register: the 64-bit significand, and sign (bit 15) with biased exponent. */
export interface ExtendedRegister {
  significand: bigint;
  signExponent: number;
}

type FieldValue<T extends FieldType> = T extends "u8" | "u16" | "u32"
  ? number
  : T extends "u64" | "u128"
    ? bigint
    : T extends "segment"
      ? Segment
      : ExtendedRegister;

/** Every field by name: numbers up to 32 bits, bigint for 64 and 128, views for the rest. */
export type CpuState = {
  -readonly [N in FieldName]: FieldValue<(typeof CPU_FIELDS)[N]["type"]>;
} & {
  /** Linear-memory address of this vCPU's fields. */
  readonly base: number;
};

/** Bits of the field exitRequest: why generated code must return after this instruction. */
export const ExitRequest = {
  /** The instruction did not complete: a fault or an exit replaced it. It does not retire. */
  aborted: 1,
} as const;

type Scalar = "u8" | "u16" | "u32" | "u64";

function scalarProperty(view: DataView, at: number, type: Scalar): PropertyDescriptor {
  switch (type) {
    case "u8":
      return { get: () => view.getUint8(at), set: (v: number) => view.setUint8(at, v) };
    case "u16":
      return {
        get: () => view.getUint16(at, true),
        set: (v: number) => view.setUint16(at, v, true),
      };
    case "u32":
      return {
        get: () => view.getUint32(at, true),
        set: (v: number) => view.setUint32(at, v, true),
      };
    case "u64":
      return {
        get: () => view.getBigUint64(at, true),
        set: (v: bigint) => view.setBigUint64(at, v, true),
      };
  }
}

function wideProperty(view: DataView, at: number): PropertyDescriptor {
  return {
    get: () => view.getBigUint64(at, true) | (view.getBigUint64(at + 8, true) << 64n),
    set: (v: bigint) => {
      view.setBigUint64(at, BigInt.asUintN(64, v), true);
      view.setBigUint64(at + 8, BigInt.asUintN(64, v >> 64n), true);
    },
  };
}

function recordProperty(
  view: DataView,
  at: number,
  parts: Record<string, readonly [offset: number, type: Scalar]>,
): PropertyDescriptor {
  const record = {};
  for (const [name, [offset, type]] of Object.entries(parts)) {
    Object.defineProperty(record, name, {
      enumerable: true,
      ...scalarProperty(view, at + offset, type),
    });
  }
  return { value: Object.freeze(record) };
}

function fieldProperty(view: DataView, at: number, type: FieldType): PropertyDescriptor {
  switch (type) {
    case "u128":
      return wideProperty(view, at);
    case "segment":
      return recordProperty(view, at, {
        selector: [0, "u16"],
        attributes: [2, "u16"],
        limit: [4, "u32"],
        base: [8, "u64"],
      });
    case "x87":
      return recordProperty(view, at, { significand: [0, "u64"], signExponent: [8, "u16"] });
    default:
      return scalarProperty(view, at, type);
  }
}

/** Makes the accessors for the CPU state at linear-memory address `base`. The memory must not grow. */
export function createCpuState(memory: WebAssembly.Memory, base: number): CpuState {
  const view = new DataView(memory.buffer);
  const state = { base };
  for (const [name, field] of Object.entries(CPU_FIELDS) as [FieldName, Field][]) {
    Object.defineProperty(state, name, {
      enumerable: true,
      ...fieldProperty(view, base + field.offset, field.type),
    });
  }
  view.setBigUint64(base + CPU_FIELDS.twoToThe32.offset, 1n << 32n, true);
  return state as CpuState;
}
