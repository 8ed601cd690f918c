/** CLC, STC, CMC, CLD, STD, LAHF, SAHF, CLI, STI, PUSHF and POPF. */

import { Flag, type FlagName, flagMask, IOPL_SHIFT, STATUS_FLAGS } from "../state/flags.ts";
import type { Context } from "./context.ts";
import { type Row, row, type Semantics } from "./row.ts";

/** LAHF and SAHF: SF, ZF, AF, PF and CF. */
const LOW_STATUS = 0xd5n;
const IOPL = 3n << BigInt(IOPL_SHIFT);

function setOther<V, B, X>(c: Context<V, B, X>, flag: FlagName): void {
  c.setOtherFlags(c.or(c.otherFlags(), c.constant(flagMask(flag))));
}

function clearOther<V, B, X>(c: Context<V, B, X>, flag: FlagName): void {
  c.setOtherFlags(c.and(c.otherFlags(), c.constant(~flagMask(flag))));
}

/**
 * CLI and STI need CPL <= IOPL. That also covers real mode (CPL 0) and virtual-8086 mode (CPL 3);
 * CPUID does not report VME, so CR4.VME and CR4.PVI are never set.
 */
function requireIoPrivilege<V, B, X>(c: Context<V, B, X>): void {
  c.faultIf(c.below(c.iopl(), c.cpl()), "GP", 0);
}

/** PUSHF and POPF need IOPL 3 in virtual-8086 mode (APM volume 2, section 8.10). */
function requireVirtual8086Privilege<V, B, X>(c: Context<V, B, X>): void {
  if (c.long) return;
  const below3 = c.below(c.iopl(), c.constant(3));
  c.faultIf(c.both(c.bit(c.otherFlags(), Flag.VM), below3), "GP", 0);
}

const pushFlags: Semantics = (c) => {
  requireVirtual8086Privilege(c);
  const flags = c.or(c.otherFlags(), c.statusWord());
  c.push(c.and(flags, c.constant(~(flagMask("RF") | flagMask("VM")))), c.operandSize);
};

/** IOPL changes at CPL 0 only, IF at CPL <= IOPL; VM, VIF and VIP never; RF is cleared. */
const popFlags: Semantics = (c) => {
  requireVirtual8086Privilege(c);
  const size = c.operandSize;
  const popped = c.peek(size);
  const before = c.otherFlags();
  const free = ["TF", "DF", "NT"] as const;
  const wide = size === 2 ? [] : (["AC", "ID"] as const);
  const always = c.constant([...free, ...wide].reduce((mask, flag) => mask | flagMask(flag), 0n));
  const zero = c.constant(0);
  const cpl = c.cpl();
  const iopl = c.select(c.isZero(cpl), c.constant(IOPL), zero);
  const interrupt = c.select(c.below(c.iopl(), cpl), zero, c.constant(flagMask("IF")));
  const changeable = c.or(always, c.or(iopl, interrupt));
  const kept = c.and(before, c.not(c.or(changeable, c.constant(flagMask("RF")))));
  c.moveStack(size);
  c.setStatusWord(c.and(popped, c.constant(STATUS_FLAGS)));
  c.setOtherFlags(c.or(kept, c.and(popped, changeable)));
};

const setInterruptFlag: Semantics = (c) => {
  requireIoPrivilege(c);
  c.when(c.negate(c.bit(c.otherFlags(), Flag.IF)), () => c.shadowInterrupts());
  setOther(c, "IF");
};

const storeAh: Semantics = (c) => {
  const kept = c.and(c.statusWord(), c.constant(flagMask("OF")));
  c.setStatusWord(c.or(kept, c.and(c.getAh(), c.constant(LOW_STATUS))));
};

export const FLAG_ROWS: readonly Row[] = [
  row("CMC", "F5", "", {}, (c) => c.setFlags({ CF: c.negate(c.getFlag("CF")) })),
  row("CLC", "F8", "", {}, (c) => c.setFlags({ CF: c.isNonZero(c.constant(0)) })),
  row("STC", "F9", "", {}, (c) => c.setFlags({ CF: c.isZero(c.constant(0)) })),
  row("CLD", "FC", "", {}, (c) => clearOther(c, "DF")),
  row("STD", "FD", "", {}, (c) => setOther(c, "DF")),
  row("LAHF", "9F", "", {}, (c) => c.setAh(c.statusWord())),
  row("SAHF", "9E", "", {}, storeAh),
  row("CLI", "FA", "", {}, (c) => {
    requireIoPrivilege(c);
    clearOther(c, "IF");
  }),
  row("STI", "FB", "", {}, setInterruptFlag),
  row(
    "PUSHF",
    "9C",
    "",
    { default64: true, intercept: "PUSHF", interceptOrder: "interceptFirst" },
    pushFlags,
  ),
  row(
    "POPF",
    "9D",
    "",
    { default64: true, intercept: "POPF", interceptOrder: "interceptFirst" },
    popFlags,
  ),
];
