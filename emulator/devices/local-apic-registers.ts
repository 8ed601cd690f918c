/** The register map of the local APIC: offsets, fields and access rules (APM volume 2, 16.3). */

import { deliveryModeName } from "./interrupt-message.ts";

export const LOCAL_APIC_BASE = 0xfee0_0000;
/** APIC_BASE MSR: bootstrap CPU 8, x2APIC 10, enable 11, address from 12. */
export const BaseBit = { bootstrap: 0x100, x2apic: 0x400, enable: 0x800 } as const;
/** Version 0x14 with six LVT entries. */
export const VERSION = 0x0005_0014;
/** Registers by MMIO offset; the x2APIC MSR is 0x800 + offset / 16. */
export const Reg = {
  id: 0x20,
  version: 0x30,
  tpr: 0x80,
  apr: 0x90,
  ppr: 0xa0,
  eoi: 0xb0,
  ldr: 0xd0,
  dfr: 0xe0,
  svr: 0xf0,
  isr: 0x100,
  tmr: 0x180,
  irr: 0x200,
  esr: 0x280,
  icrLow: 0x300,
  icrHigh: 0x310,
  timer: 0x320,
  lint0: 0x350,
  lint1: 0x360,
  error: 0x370,
  initialCount: 0x380,
  currentCount: 0x390,
  divide: 0x3e0,
  selfIpi: 0x3f0,
} as const;
/** LVT: delivery mode 10:8, remote IRR 14, level 15, masked 16, periodic 17. */
export const Lvt = {
  remoteIrr: 0x4000,
  level: 0x8000,
  masked: 0x1_0000,
  periodic: 0x2_0000,
} as const;
/** Writable bits of the LVT entries from 0x320: timer, thermal, performance, LINT0, LINT1, error. */
export const LVT_MASKS = [0x3_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff] as const;
/** "vector 0xec, fixed, periodic, masked". */
export function describeLvt(entry: number): string {
  const parts = [`vector 0x${(entry & 0xff).toString(16)}`, deliveryModeName((entry >> 8) & 7)];
  if (entry & Lvt.periodic) parts.push("periodic");
  if (entry & Lvt.level) parts.push("level");
  if (entry & Lvt.masked) parts.push("masked");
  return parts.join(", ");
}

export const SVR_ENABLE = 0x100;
export const SVR_BITS = 0x3ff;
/** Error status: send illegal vector 5, received illegal vector 6, illegal register 7. */
export const ESR_SEND_VECTOR = 0x20;
export const ESR_RECEIVE_VECTOR = 0x40;

const READ_ONLY = new Set<number>([
  Reg.id,
  Reg.version,
  Reg.apr,
  Reg.ppr,
  Reg.ldr,
  Reg.currentCount,
]);
const KNOWN = new Set<number>([...Object.values(Reg), 0x330, 0x340]);
export const WRITE_ONLY = new Set<number>([Reg.eoi, Reg.selfIpi]);

export const isReadOnly = (offset: number) =>
  READ_ONLY.has(offset) || (offset >= Reg.isr && offset < Reg.esr);

/** x2APIC has neither DFR, APR nor the high half of ICR, and faults on reserved registers. */
export function isX2apicRegister(offset: number): boolean {
  if (offset === Reg.dfr || offset === Reg.apr || offset === Reg.icrHigh) return false;
  return KNOWN.has(offset) || (offset >= Reg.isr && offset < Reg.esr);
}
