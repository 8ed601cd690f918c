/** How an MSR is described, and the makers of the usual kinds. */
import type { FieldName } from "../state/cpu-fields.ts";
import type { CpuState } from "../state/cpu-state.ts";
import type { Vcpu } from "../vcpu.ts";
import { GuestFault } from "./exceptions.ts";
import { isCanonical } from "./mode.ts";

export interface Msr {
  readonly number: number;
  readonly name: string;
  /** Value after reset, where the table decides it. */
  readonly reset: bigint | undefined;
  /** Bits that may be set; any other bit written as 1 is #GP(0). 0 with `write` missing: read-only. */
  readonly writable: bigint;
  /** A write must be a canonical address. */
  readonly canonical: boolean;
  readonly read: (cpu: Vcpu) => bigint;
  /** After the checks above; throws GuestFault for what they do not cover. */
  readonly write: ((cpu: Vcpu, value: bigint) => void) | undefined;
}

/** Names of CpuState's fields of 64 bits: those that hold an MSR. */
export type WordField = {
  [N in FieldName]: CpuState[N] extends bigint ? N : never;
}[FieldName];

export const ALL_BITS = 0xffff_ffff_ffff_ffffn;
export const LOW_32 = 0xffff_ffffn;

interface FieldOptions {
  readonly reset?: bigint;
  readonly writable?: bigint;
  readonly canonical?: boolean;
  /** Whether a value that has only writable bits is legal; else #GP(0). */
  readonly legal?: (value: bigint, state: CpuState) => boolean;
  /** Drops bits above 31 instead of faulting. */
  readonly truncate?: boolean;
}

/** An MSR that is a field of the state. */
export function fieldMsr(
  number: number,
  name: string,
  field: WordField,
  options: FieldOptions = {},
): Msr {
  const { legal, truncate } = options;
  return {
    number,
    name,
    reset: options.reset ?? 0n,
    writable: options.writable ?? ALL_BITS,
    canonical: options.canonical ?? false,
    read: ({ state }) => state[field],
    write: ({ state }, value) => {
      if (legal?.(value, state) === false) throw new GuestFault("GP", 0);
      state[field] = truncate === true ? value & LOW_32 : value;
    },
  };
}

/** The base of FS or GS. */
export function baseMsr(number: number, name: string, register: "fs" | "gs"): Msr {
  return {
    number,
    name,
    reset: undefined,
    writable: ALL_BITS,
    canonical: true,
    read: ({ state }) => state[register].base,
    write: ({ state }, value) => {
      state[register].base = value;
    },
  };
}

/** Reads a field that only the CPU writes. */
export function readOnlyMsr(number: number, name: string, field: WordField): Msr {
  return {
    number,
    name,
    reset: 0n,
    writable: 0n,
    canonical: false,
    read: ({ state }) => state[field],
    write: undefined,
  };
}

/** Reads the same value always; writes are accepted and have no effect. */
export function constantMsr(number: number, name: string, value: bigint): Msr {
  return {
    number,
    name,
    reset: undefined,
    writable: ALL_BITS,
    canonical: false,
    read: () => value,
    write: () => {},
  };
}

/** The checks of WRMSR in order (APM volume 3, WRMSR), then the write. */
export function writeEntry(cpu: Vcpu, entry: Msr, value: bigint): void {
  const bad =
    entry.write === undefined ||
    (value & ~entry.writable) !== 0n ||
    (entry.canonical && !isCanonical(value));
  if (bad) throw new GuestFault("GP", 0);
  entry.write?.(cpu, value);
}
