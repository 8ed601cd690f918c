/** svm.inv and minvisor.inv, checked against the names of one MinVisor, and attached at its reset. */
import { readFileSync } from "node:fs";
import { Guests, type Machine } from "../../emulator/index.ts";
import {
  type AttachOptions,
  attachInvariants,
  type CheckedInvariant,
  type InvariantStatus,
  type ResolvedFile,
  readInvariants,
  SHIPPED_INVARIANTS,
  type Violation,
} from "../../invariants/index.ts";
import { programOf } from "./boot.ts";

export const MINVISOR_INV = "minvisor/minvisor.inv";

/** Invariants that a clean run need not come to check, and why. */
export const NOTHING_HAPPENS: { readonly [invariant: string]: string } = {
  save_area_is_vmruns: "no instruction writes the host save area",
  save_area_stays: "VM_HSAVE_PA is written once, before the first VMRUN",
  host_does_not_fault: "the host takes no exception",
  only_msr_probes_fault: "the guest asks for no MSR that there is not",
  text_is_not_written: "nothing writes MinVisor's code and constants",
  host_writes_listed_msrs: "no MSR is written for the guest that the map does not let through",
  guest_reads_its_own_bytes: "no OUTS is done for the guest, and no instruction of its is read",
  guest_writes_its_own_bytes: "no INS is done for the guest",
};

export function readAll(elf: string): { all: ResolvedFile[]; own: ResolvedFile } {
  const text = readFileSync(MINVISOR_INV, "utf8");
  const files = [...SHIPPED_INVARIANTS, { path: MINVISOR_INV, text }];
  const all = readInvariants(files, programOf(elf));
  return { all, own: all.at(-1) as ResolvedFile };
}

/** Those that do not hold, and those never checked without a reason. */
export const notKept = (statuses: readonly InvariantStatus[]): readonly InvariantStatus[] =>
  statuses.filter(({ name, state }) =>
    state === "never checked" ? !(name in NOTHING_HAPPENS) : state !== "holds",
  );

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
