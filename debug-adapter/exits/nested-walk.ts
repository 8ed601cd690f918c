/** The walks behind an exit: nested tables, and the guest's own over them, as its VMCB left them. */
import {
  type Machine,
  type NestedContext,
  type PagingContext,
  type Translation,
  type TranslationAccess,
  Translator,
} from "../../emulator/index.ts";
import type { ExitRecord } from "./exit-log.ts";
import type { VmcbCopy } from "./vmcb-history.ts";

/** The guest's address spaces as a VMCB gives them. */
export interface GuestPaging {
  readonly paging: PagingContext;
  /** Undefined without nested paging: guest-physical addresses are host-physical. */
  readonly nested: NestedContext | undefined;
}

/** The host's mode is that of the last VMRUN. */
export function guestPaging({ state }: Machine, vmcb: VmcbCopy): GuestPaging {
  const [cr0, cr3, cr4] = [vmcb.read("CR0"), vmcb.read("CR3"), vmcb.read("CR4")];
  const paging = { cr0, cr3, cr4, efer: vmcb.read("EFER") };
  if ((vmcb.read("NP_ENABLE") & 1n) === 0n) return { paging, nested: undefined };
  const { hostCr0, hostCr4, hostEfer } = state;
  const nestedCr3 = vmcb.read("nCR3");
  return { paging, nested: { cr0: hostCr0, cr4: hostCr4, efer: hostEfer, nestedCr3 } };
}

/** The access that a nested fault's EXITINFO1 tells of (APM volume 2, section 15.25.6). */
function faultAccess(info1: bigint): TranslationAccess {
  return { write: (info1 & 2n) !== 0n, fetch: (info1 & 16n) !== 0n, user: true };
}

/**
 * The nested walk of the address that an NPF names, for the same access, through the tables as they
 * are now: it succeeds where the host has mended them since.
 */
export function nestedWalk(machine: Machine, exit: ExitRecord, vmcb: VmcbCopy): Translation {
  const { nested } = guestPaging(machine, vmcb);
  const nothing: Translation = {
    kind: "fault",
    fault: "none",
    code: 0n,
    address: exit.info2,
    reason: "nested paging is off in the VMCB",
    levels: [],
    culprit: undefined,
  };
  if (nested === undefined) return nothing;
  const translator = new Translator(machine.memory);
  return translator.guestPhysical(exit.info2, nested, faultAccess(exit.info1));
}

/** A linear address of the guest through both stages. */
export function guestWalk(
  machine: Machine,
  address: bigint,
  vmcb: VmcbCopy,
  access?: TranslationAccess,
): Translation {
  const { paging, nested } = guestPaging(machine, vmcb);
  return new Translator(machine.memory).linear(address, paging, nested, access);
}
