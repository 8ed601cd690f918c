/** Reading the task state segment: inner stacks and the I/O permission bitmap (APM volume 2, sections 12.2.4, 12.2.5). */
import type { Vcpu } from "../vcpu.ts";
import { SystemType, selectorCode, systemType } from "./descriptors.ts";
import { GuestFault } from "./exceptions.ts";
import { isCanonical, isLongActive } from "./mode.ts";

function readTss(cpu: Vcpu, offset: number, size: number, external: number): bigint {
  const { tr } = cpu.state;
  if (offset + size - 1 > tr.limit) {
    throw new GuestFault("TS", selectorCode(tr.selector, external));
  }
  const linear = BigInt.asUintN(isLongActive(cpu.state) ? 64 : 32, tr.base + BigInt(offset));
  return cpu.mmu.read(linear, size, "system");
}

/** SS:eSP for privilege level 0 to 2 from a 16- or 32-bit TSS. */
export function legacyInnerStack(
  cpu: Vcpu,
  cpl: number,
  external: number,
): { selector: number; esp: bigint } {
  const type = systemType(cpu.state.tr.attributes);
  if (type === SystemType.tss16 || type === SystemType.tss16Busy) {
    const esp = readTss(cpu, 2 + cpl * 4, 2, external);
    return { selector: Number(readTss(cpu, 4 + cpl * 4, 2, external)), esp };
  }
  const esp = readTss(cpu, 4 + cpl * 8, 4, external);
  return { selector: Number(readTss(cpu, 8 + cpl * 8, 2, external)), esp };
}

/** RSP0 to RSP2 of the 64-bit TSS, or IST1 to IST7 when `ist` is not 0. */
export function longInnerStack(cpu: Vcpu, cpl: number, ist: number, external: number): bigint {
  const offset = ist === 0 ? 4 + cpl * 8 : 0x24 + (ist - 1) * 8;
  const rsp = readTss(cpu, offset, 8, external);
  if (!isCanonical(rsp)) throw new GuestFault("SS", external);
  return rsp;
}

const IO_MAP_BASE = 0x66;

/**
 * Whether the bitmap lets the current task use all `size` ports from `port`. Two bytes are read
 * whatever the port, so that the byte after the last one must lie inside the limit.
 */
export function ioPermitted(cpu: Vcpu, port: number, size: number): boolean {
  const { tr } = cpu.state;
  const type = systemType(tr.attributes);
  if (type !== SystemType.tss && type !== SystemType.tssBusy) return false;
  if (tr.limit < IO_MAP_BASE + 1) return false;
  const offset = Number(readTss(cpu, IO_MAP_BASE, 2, 0)) + (port >> 3);
  if (offset + 1 > tr.limit) return false;
  const bits = Number(readTss(cpu, offset, 2, 0)) >> (port & 7);
  return (bits & ((1 << size) - 1)) === 0;
}
