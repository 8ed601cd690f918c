/** VMRUN's consistency checks by name (APM volume 2, section 15.5.1): the first that fails is reported. */

import { CR4_WRITABLE, EFER_WRITABLE } from "../system/control-registers.ts";
import { Attribute } from "../system/descriptors.ts";
import { CR0, CR4, EFER, PHYSICAL_ADDRESS_BITS } from "../system/mode.ts";
import type { Vcpu } from "../vcpu.ts";
import { eventErrors } from "./event-format.ts";
import { INTERCEPTS } from "./intercepts.ts";
import type { VmcbView } from "./vmcb-view.ts";

/** What the checks look at: the VMCB, the host as it is at VMRUN, and what the CPU can do. */
export interface CheckView {
  readonly vmcb: VmcbView;
  readonly host: { readonly cr0: bigint; readonly efer: bigint };
  readonly physicalAddressBits: number;
  readonly longMode: boolean;
  /** Bits of CR4 that the CPU implements. */
  readonly cr4Supported: bigint;
  /** Reads eight bytes of physical memory, for the PDPTEs. */
  readEntry(address: number): bigint;
}

export interface VmrunCheck {
  readonly name: string;
  /** APM volume 2. */
  readonly section: string;
  readonly message: string;
  failed(view: CheckView): boolean;
}

/** Bits 7:1 of EFER read as zero and are not checked. */
const EFER_RESERVED = BigInt.asUintN(64, ~(EFER_WRITABLE | 0xfen));
const UPPER_HALF = 0xffff_ffff_0000_0000n;
/** IOPM and MSRPM must both leave this room: the MSRPM's last page is reserved. */
const BITMAP_ROOM = 0x3000n;
const PAGE_OFFSET = 0xfffn;
/** UC, WC, WT, WP, WB, UC- (section 7.8.1). */
const PAT_TYPES: readonly bigint[] = [0n, 1n, 4n, 5n, 6n, 7n];

const nestedPaging = (v: CheckView): boolean => (v.vmcb.read("NP_ENABLE") & 1n) !== 0n;
const longModePaging = (v: CheckView): boolean =>
  (v.vmcb.read("EFER") & EFER.LME) !== 0n && (v.vmcb.read("CR0") & CR0.PG) !== 0n;
const beyondPhysical = (v: CheckView, address: bigint): boolean =>
  address >> BigInt(v.physicalAddressBits) !== 0n;
const bitmapBeyondPhysical = (v: CheckView, base: bigint): boolean =>
  (base & ~PAGE_OFFSET) + BITMAP_ROOM > 1n << BigInt(v.physicalAddressBits);

function patIllegal(pat: bigint): boolean {
  for (let i = 0n; i < 64n; i += 8n) if (!PAT_TYPES.includes((pat >> i) & 0xffn)) return true;
  return false;
}

/** Reserved bits of a present legacy-PAE PDPTE: 2:1, 8:5 and those above the physical address. */
export function pdpteIllegal(entry: bigint, physicalAddressBits: number): boolean {
  const reserved = 0x1e6n | (~0n << BigInt(physicalAddressBits));
  return (entry & 1n) !== 0n && (BigInt.asUintN(64, reserved) & entry) !== 0n;
}

/** Physical address of the four PDPTEs that a legacy-PAE CR3 points to. */
export const pdpteAddress = (cr3: bigint): number => Number(cr3 & 0xffff_ffe0n);

function guestPdptesIllegal(v: CheckView): boolean {
  const pae = (v.vmcb.read("CR0") & CR0.PG) !== 0n && (v.vmcb.read("CR4") & CR4.PAE) !== 0n;
  if (!pae || nestedPaging(v) || longModePaging(v)) return false;
  const base = pdpteAddress(v.vmcb.read("CR3"));
  return [0, 8, 16, 24].some((i) => pdpteIllegal(v.readEntry(base + i), v.physicalAddressBits));
}

const guest64Bit = (v: CheckView): boolean =>
  longModePaging(v) && (v.vmcb.read("CS").attributes & Attribute.long) !== 0;

const check = (
  name: string,
  message: string,
  failed: (view: CheckView) => boolean,
  section = "15.5.1",
): VmrunCheck => ({ name, section, message, failed });

/** In the order in which they are looked at: control area, then guest state, then injection. */
export const VMRUN_CHECKS: readonly VmrunCheck[] = [
  check("VMRUN_NOT_INTERCEPTED", "The intercept of VMRUN is clear", (v) => {
    return (v.vmcb.read("INTERCEPT_MISC2") & (1 << INTERCEPTS.VMRUN.bit)) === 0;
  }),
  check("GUEST_ASID_ZERO", "GUEST_ASID is 0, the host's", (v) => v.vmcb.read("GUEST_ASID") === 0),
  check("IOPM_BASE_ADDRESS", "The I/O permission map passes the end of physical memory", (v) =>
    bitmapBeyondPhysical(v, v.vmcb.read("IOPM_BASE_PA")),
  ),
  check("MSRPM_BASE_ADDRESS", "The MSR permission map passes the end of physical memory", (v) =>
    bitmapBeyondPhysical(v, v.vmcb.read("MSRPM_BASE_PA")),
  ),
  check(
    "NP_HOST_PAGING_OFF",
    "NP_ENABLE is set while the host's CR0.PG is 0",
    (v) => nestedPaging(v) && (v.host.cr0 & CR0.PG) === 0n,
    "15.25.3",
  ),
  check(
    "G_PAT_TYPE",
    "NP_ENABLE is set and G_PAT holds an invalid memory type",
    (v) => nestedPaging(v) && patIllegal(v.vmcb.read("G_PAT")),
    "15.25.4",
  ),
  check(
    "NCR3_RESERVED",
    "NP_ENABLE is set and nCR3 has bits above the physical address",
    (v) =>
      nestedPaging(v) && (v.host.efer & EFER.LMA) !== 0n && beyondPhysical(v, v.vmcb.read("nCR3")),
    "15.25.4",
  ),
  check("EFER_SVME_ZERO", "EFER.SVME is 0", (v) => (v.vmcb.read("EFER") & EFER.SVME) === 0n),
  check("EFER_RESERVED", "EFER has a reserved bit set", (v) => {
    return (v.vmcb.read("EFER") & EFER_RESERVED) !== 0n;
  }),
  check(
    "EFER_NO_LONG_MODE",
    "EFER.LME or LMA is set on a CPU without long mode",
    (v) => !v.longMode && (v.vmcb.read("EFER") & (EFER.LME | EFER.LMA)) !== 0n,
  ),
  check("CR0_CD_NW", "CR0.CD is 0 and CR0.NW is 1", (v) => {
    return (v.vmcb.read("CR0") & (CR0.CD | CR0.NW)) === CR0.NW;
  }),
  check("CR0_UPPER", "CR0[63:32] is not 0", (v) => (v.vmcb.read("CR0") & UPPER_HALF) !== 0n),
  check(
    "CR3_RESERVED",
    "CR3 has bits above the physical address in long mode",
    (v) => longModePaging(v) && beyondPhysical(v, v.vmcb.read("CR3")),
  ),
  check(
    "CR4_RESERVED",
    "CR4 has a bit set that the CPU does not implement",
    (v) => (v.vmcb.read("CR4") & ~v.cr4Supported) !== 0n,
  ),
  check("DR6_UPPER", "DR6[63:32] is not 0", (v) => (v.vmcb.read("DR6") & UPPER_HALF) !== 0n),
  check("DR7_UPPER", "DR7[63:32] is not 0", (v) => (v.vmcb.read("DR7") & UPPER_HALF) !== 0n),
  check(
    "LONG_MODE_WITHOUT_PAE",
    "EFER.LME and CR0.PG are set and CR4.PAE is 0",
    (v) => longModePaging(v) && (v.vmcb.read("CR4") & CR4.PAE) === 0n,
  ),
  check(
    "LONG_MODE_WITHOUT_PE",
    "EFER.LME and CR0.PG are set and CR0.PE is 0",
    (v) => longModePaging(v) && (v.vmcb.read("CR0") & CR0.PE) === 0n,
  ),
  check("CS_LONG_AND_32", "EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all set", (v) => {
    const both = Attribute.long | Attribute.big;
    const paged = longModePaging(v) && (v.vmcb.read("CR4") & CR4.PAE) !== 0n;
    return paged && (v.vmcb.read("CS").attributes & both) === both;
  }),
  check("PDPTE_RESERVED", "A page-directory-pointer entry of the guest has a reserved bit", (v) =>
    guestPdptesIllegal(v),
  ),
  check(
    "EVENTINJ_TYPE",
    "EVENTINJ.TYPE is not 0, 2, 3 or 4",
    (v) => eventErrors(v.vmcb.read("EVENTINJ"), guest64Bit(v)) === "type",
    "15.20",
  ),
  check(
    "EVENTINJ_VECTOR",
    "EVENTINJ asks for an exception with vector 2 or above 31",
    (v) => eventErrors(v.vmcb.read("EVENTINJ"), guest64Bit(v)) === "vector",
    "15.20",
  ),
  check(
    "EVENTINJ_MODE",
    "EVENTINJ asks for #OF or #BR, which 64-bit mode does not have",
    (v) => eventErrors(v.vmcb.read("EVENTINJ"), guest64Bit(v)) === "mode",
    "15.20",
  ),
];

/** What the checks see when this CPU executes VMRUN now. */
export function checkView(cpu: Vcpu, vmcb: VmcbView): CheckView {
  return {
    vmcb,
    host: { cr0: cpu.state.cr0, efer: cpu.state.efer },
    physicalAddressBits: PHYSICAL_ADDRESS_BITS,
    longMode: true,
    cr4Supported: CR4_WRITABLE,
    readEntry: (address) => cpu.physical.readEntry(address, 8),
  };
}

/** The first check that fails, if any. */
export function failedCheck(view: CheckView): VmrunCheck | undefined {
  return VMRUN_CHECKS.find((c) => c.failed(view));
}
