/** Descriptor-table registers, LAR, LSL, VERR, VERW, ARPL, INVLPG, cache control, CPUID and SWAPGS. */

import type { Execution } from "../execution.ts";
import { cpuid } from "../system/cpuid.ts";
import { GuestFault } from "../system/exceptions.ts";
import { currentAsid, isCanonical } from "../system/mode.ts";
import { loadLdtr, loadTaskRegister } from "../system/segments.ts";
import { selectorAccess } from "../system/selector-access.ts";
import { undefinedOpcode } from "./interrupt.ts";
import { complexRow, type Row, type RowOptions } from "./row.ts";
import { storeSelector } from "./segment.ts";

type Table = "gdtr" | "idtr";

/** Limit, then a base of 64 bits in 64-bit mode, 24 bits with a 16-bit operand, else 32. */
function loadTable(name: Table) {
  return (x: Execution): void => {
    const limit = Number(x.loadOperand(0, 0, 2));
    const wide = x.loadOperand(0, 2, x.long ? 8 : 4);
    const base = !x.long && x.operandSize === 2 ? wide & 0xff_ffffn : wide;
    if (x.long && !isCanonical(base)) throw new GuestFault("GP", 0);
    const table = x.cpu.state[name];
    table.limit = limit;
    table.base = base;
  };
}

/** Nothing is stored unless all of it can be. */
function storeTable(name: Table) {
  return (x: Execution): void => {
    const { limit, base } = x.cpu.state[name];
    const size = x.long ? 8 : 4;
    x.cpu.mmu.probeWrite(x.linearOf(0), 2 + size);
    x.storeOperand(0, 0, 2, BigInt(limit & 0xffff));
    x.storeOperand(0, 2, size, base);
  };
}

/** ZF = 1 and the destination is written only where the selector may be seen from here. */
function query(kind: "LAR" | "LSL") {
  return (x: Execution): void => {
    const found = selectorAccess(x.cpu, Number(x.read(1) & 0xffffn), kind);
    x.setFlags({ ZF: found !== undefined });
    if (found === undefined) return;
    const rights = ((found.raw >> 32n) & 0x00ff_ff00n) as bigint;
    x.write(0, kind === "LSL" ? BigInt(found.limit) : rights);
  };
}

function verify(kind: "VERR" | "VERW") {
  return (x: Execution): void => {
    const found = selectorAccess(x.cpu, Number(x.read(0) & 0xffffn), kind);
    x.setFlags({ ZF: found !== undefined });
  };
}

/** Raises the RPL of the first selector to that of the second. */
function adjustPrivilege(x: Execution): void {
  const first = x.readForWrite(0);
  const rpl = x.read(1) & 3n;
  const lower = (first & 3n) < rpl;
  if (lower) x.write(0, (first & ~3n) | rpl);
  x.setFlags({ ZF: lower });
}

function invalidatePage(x: Execution): void {
  x.cpu.mmu.flushPage(x.linearOf(0), currentAsid(x.cpu.state));
}

function identify(x: Execution): void {
  const result = cpuid(x.cpu, Number(x.getRegister("rax", 4)));
  x.setRegister("rax", 4, BigInt(result.eax));
  x.setRegister("rbx", 4, BigInt(result.ebx));
  x.setRegister("rcx", 4, BigInt(result.ecx));
  x.setRegister("rdx", 4, BigInt(result.edx));
}

function swapGs(x: Execution): void {
  const { state } = x.cpu;
  const { base } = state.gs;
  state.gs.base = state.kernelGsBase;
  state.kernelGsBase = base;
}

/** Caches are not modelled, so that writing them back and dropping them change nothing. */
const nothing = (): void => {};

const intercepted = (intercept: NonNullable<RowOptions["intercept"]>): RowOptions => ({
  intercept,
  interceptOrder: "afterExceptions",
});
const supervisor = (intercept: NonNullable<RowOptions["intercept"]>): RowOptions => ({
  ...intercepted(intercept),
  cpl0: true,
});
const PROTECTED: RowOptions = { protectedOnly: true };

const TABLE_ROWS: readonly Row[] = [
  complexRow("SGDT", "0F 01 /0", "Ms", intercepted("GDTR_READ"), storeTable("gdtr")),
  complexRow("SIDT", "0F 01 /1", "Ms", intercepted("IDTR_READ"), storeTable("idtr")),
  complexRow("LGDT", "0F 01 /2", "Ms", supervisor("GDTR_WRITE"), loadTable("gdtr")),
  complexRow("LIDT", "0F 01 /3", "Ms", supervisor("IDTR_WRITE"), loadTable("idtr")),
  complexRow("SLDT", "0F 00 /0", "Ev", { ...intercepted("LDTR_READ"), ...PROTECTED }, (x) =>
    storeSelector(x, "ldtr"),
  ),
  complexRow("STR", "0F 00 /1", "Ev", { ...intercepted("TR_READ"), ...PROTECTED }, (x) =>
    storeSelector(x, "tr"),
  ),
  complexRow("LLDT", "0F 00 /2", "Ew", { ...supervisor("LDTR_WRITE"), ...PROTECTED }, (x) =>
    loadLdtr(x.cpu, Number(x.read(0) & 0xffffn)),
  ),
  complexRow("LTR", "0F 00 /3", "Ew", { ...supervisor("TR_WRITE"), ...PROTECTED }, (x) =>
    loadTaskRegister(x.cpu, Number(x.read(0) & 0xffffn)),
  ),
  complexRow("VERR", "0F 00 /4", "Ew", PROTECTED, verify("VERR")),
  complexRow("VERW", "0F 00 /5", "Ew", PROTECTED, verify("VERW")),
  complexRow("LAR", "0F 02 /r", "Gv,Ew", PROTECTED, query("LAR")),
  complexRow("LSL", "0F 03 /r", "Gv,Ew", PROTECTED, query("LSL")),
  complexRow("ARPL", "63 /r", "Ew,Gw", { ...PROTECTED, not64: true }, adjustPrivilege),
];

export const SYSTEM_ROWS: readonly Row[] = [
  ...TABLE_ROWS,
  complexRow("INVLPG", "0F 01 /7", "M", supervisor("INVLPG"), invalidatePage),
  complexRow("INVD", "0F 08", "", supervisor("INVD"), nothing),
  complexRow("WBINVD", "0F 09", "", supervisor("WBINVD"), nothing),
  complexRow(
    "CPUID",
    "0F A2",
    "",
    { intercept: "CPUID", interceptOrder: "interceptFirst" },
    identify,
  ),
  complexRow("SWAPGS", "0F 01 F8", "", { cpl0: true, only64: true }, swapGs),
  // Outside system management mode, which this machine does not have.
  complexRow(
    "RSM",
    "0F AA",
    "",
    { intercept: "RSM", interceptOrder: "interceptFirst" },
    undefinedOpcode,
  ),
  // CPUID reports neither of these: MONITOR, and XSAVE with CR4.OSXSAVE.
  complexRow("MONITOR", "0F 01 C8", "", {}, undefinedOpcode),
  complexRow("MWAIT", "0F 01 C9", "", {}, undefinedOpcode),
  complexRow("XGETBV", "0F 01 D0", "", {}, undefinedOpcode),
  complexRow("XSETBV", "0F 01 D1", "", {}, undefinedOpcode),
];
