/** svm.inv and minvisor.inv, checked against the names of one MinVisor, and attached at its reset. */
import { readFileSync } from "node:fs";
import { Guests, type Machine } from "../../emulator/index.ts";
import {
  type AttachOptions,
  attachInvariants,
  type CheckedInvariant,
  type ResolvedFile,
  readInvariants,
  SHIPPED_INVARIANTS,
  type Violation,
} from "../../invariants/index.ts";
import { programOf } from "./boot.ts";

export const MINVISOR_INV = "minvisor/minvisor.inv";

export function readAll(elf: string): { all: ResolvedFile[]; own: ResolvedFile } {
  const text = readFileSync(MINVISOR_INV, "utf8");
  const files = [...SHIPPED_INVARIANTS, { path: MINVISOR_INV, text }];
  const all = readInvariants(files, programOf(elf));
  return { all, own: all.at(-1) as ResolvedFile };
}

/** With hv.memory as minvisor.inv declares it; violations are collected. */
export function attachAll(machine: Machine, elf: string, options: Partial<AttachOptions> = {}) {
  const { all, own } = readAll(elf);
  const invariants: readonly CheckedInvariant[] = all.flatMap((file) => file.invariants);
  const violations: Violation[] = [];
  const attached = attachInvariants(machine, {
    ...{ invariants, program: programOf(elf), guests: new Guests(machine) },
    hypervisorMemory: own.memory.map(({ first, end }) => ({
      first: Number(first),
      bytes: Number(end - first),
    })),
    onViolation: (violation) => violations.push(violation),
    ...options,
  });
  const states = () =>
    Object.fromEntries(attached.status().map(({ name, state }) => [name, state]));
  return { ...attached, violations, states };
}
