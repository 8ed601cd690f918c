/** One number for all machine state at an instant: equal states of equal machines hash equal in every tier. */

import type { DeviceState } from "./devices/device.ts";
import type { CpuState } from "./state/cpu-state.ts";
import { readFieldBytes } from "./state/field-bytes.ts";
import { getRflags } from "./state/flags.ts";

const SEED = 0xcbf2_9ce4_8422_2325n;
const PRIME = 0x100_0000_01b3n;

/** What is hashed. */
export interface HashedState {
  readonly memory: WebAssembly.Memory;
  readonly cpu: CpuState;
  /** The architectural TLB. */
  readonly tlb: Uint8Array;
  readonly devices: DeviceState;
  /** icount and idle ticks. */
  readonly time: readonly number[];
  /** Hash of RAM (page-history.ts). */
  readonly ram: bigint;
}

/** As 16 hexadecimal digits. */
export function hashState(state: HashedState): string {
  const text = JSON.stringify([state.time, state.devices], encodeValue);
  let hash = fold(SEED, canonicalFields(state.memory, state.cpu));
  hash = fold(hash, state.tlb);
  hash = fold(hash, new TextEncoder().encode(text));
  hash = BigInt.asUintN(64, (hash ^ state.ram) * PRIME);
  return hash.toString(16).padStart(16, "0");
}

/** The CPU's fields with the flags materialised: lazy words that mean the same are the same. */
function canonicalFields(memory: WebAssembly.Memory, cpu: CpuState): Uint8Array {
  const { flagResult, flagCarries } = cpu;
  cpu.flagResult = getRflags(cpu);
  cpu.flagCarries = 0n;
  try {
    return readFieldBytes(memory, cpu.base);
  } finally {
    cpu.flagResult = flagResult;
    cpu.flagCarries = flagCarries;
  }
}

function encodeValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return Array.from(value);
  return value;
}

/** Two interleaved 32-bit multiplicative hashes; by index, as an iterator takes several times as long. */
function fold(seed: bigint, bytes: Uint8Array): bigint {
  let a = Number(seed & 0xffff_ffffn) | 0;
  let b = Number(seed >> 32n) | 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    a = Math.imul(a ^ byte, 0x0100_0193);
    b = Math.imul(b + byte, 0x85eb_ca6b) ^ (b >>> 13);
  }
  return (BigInt(b >>> 0) << 32n) | BigInt(a >>> 0);
}
