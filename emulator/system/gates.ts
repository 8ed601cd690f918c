/** Gate descriptors: call gates in the GDT and LDT, interrupt and trap gates in the IDT (APM volume 2, sections 4.7.5 and 4.8.4). */
import type { Vcpu } from "../vcpu.ts";
import {
  type Descriptor,
  decodeDescriptor,
  dpl,
  isPresent,
  SystemType,
  systemType,
} from "./descriptors.ts";
import { GuestFault } from "./exceptions.ts";
import { isLongActive } from "./mode.ts";

export interface Gate {
  /** SystemType. */
  readonly type: number;
  readonly dpl: number;
  readonly present: boolean;
  readonly selector: number;
  readonly offset: bigint;
  /** Call gates of legacy modes: words or doublewords to copy. */
  readonly parameters: number;
  /** Interrupt stack table entry, or 0. */
  readonly ist: number;
}

/** Splits a gate; `upper` is bits 63:32 of the offset. */
export function decodeGate(descriptor: Descriptor, upper = 0n): Gate {
  const { raw, attributes } = descriptor;
  const type = systemType(attributes);
  const wide = type >= SystemType.callGate;
  const high = wide ? ((raw >> 32n) & 0xffff_0000n) | (upper << 32n) : 0n;
  return {
    type,
    dpl: dpl(attributes),
    present: isPresent(attributes),
    selector: Number((raw >> 16n) & 0xffffn),
    offset: (raw & 0xffffn) | high,
    parameters: Number((raw >> 32n) & 0x1fn),
    ist: Number((raw >> 32n) & 7n),
  };
}

/** Error code that names an IDT entry. */
export const idtCode = (vector: number, external: number): number => vector * 8 + 2 + external;

/** Reads the IDT gate of a vector; only what belongs in an IDT comes back. */
export function readIdtGate(cpu: Vcpu, vector: number, external: number): Gate {
  const { idtr } = cpu.state;
  const long = isLongActive(cpu.state);
  const bytes = long ? 16 : 8;
  const illegal = (): GuestFault => new GuestFault("GP", idtCode(vector, external));
  if (vector * bytes + bytes - 1 > idtr.limit) throw illegal();
  const address = BigInt.asUintN(long ? 64 : 32, idtr.base + BigInt(vector * bytes));
  const raw = cpu.mmu.read(address, 8, "system");
  const upper = long ? cpu.mmu.read(address + 8n, 8, "system") & 0xffff_ffffn : 0n;
  const gate = decodeGate(decodeDescriptor(raw, address), upper);
  const wide = gate.type === SystemType.interruptGate || gate.type === SystemType.trapGate;
  const narrow =
    gate.type === SystemType.interruptGate16 ||
    gate.type === SystemType.trapGate16 ||
    gate.type === SystemType.taskGate;
  if (!wide && (long || !narrow)) throw illegal();
  return gate;
}

/** Interrupt gates clear RFLAGS.IF. */
export function clearsInterrupts(gate: Gate): boolean {
  return gate.type === SystemType.interruptGate || gate.type === SystemType.interruptGate16;
}
