/** The one table of VMCB fields (APM volume 2, appendix B): place, width and meaning of each. */

import { INTERCEPTS } from "./intercepts.ts";

/** Width of a field. "segment" is selector u16, attributes u16, limit u32, base u64. */
export type VmcbType = "u8" | "u16" | "u32" | "u64" | "segment" | "bytes15";
/** Control area: what the hypervisor asks and is told. Save area: the guest's registers. */
export type VmcbArea = "control" | "save";
/** Parts of a word by name: bit number, or [highest, lowest]. */
export type BitFields = { readonly [name: string]: number | readonly [high: number, low: number] };

export interface VmcbField {
  readonly offset: number;
  readonly type: VmcbType;
  readonly area: VmcbArea;
  readonly doc: string;
  readonly bits?: BitFields;
}

export const VMCB_BYTES = 4096;

/** Values of TLB_CONTROL (section 15.16.2). */
export const TlbControl = {
  none: 0,
  flushAll: 1,
  flushAsid: 3,
  flushAsidNonGlobal: 7,
} as const;

const WIDTH = { u8: 1, u16: 2, u32: 4, u64: 8, segment: 16, bytes15: 15 } as const;

const control = <T extends VmcbType>(offset: number, type: T, doc: string, bits?: BitFields) => ({
  offset,
  type,
  area: "control" as const,
  doc,
  ...(bits === undefined ? {} : { bits }),
});
/** Offsets of the save area are given from the start of the VMCB. */
const save = <T extends VmcbType>(offset: number, type: T, doc: string, bits?: BitFields) => ({
  offset,
  type,
  area: "save" as const,
  doc,
  ...(bits === undefined ? {} : { bits }),
});

function interceptBits(word: "interceptMisc1" | "interceptMisc2"): BitFields {
  const bits: Record<string, number> = {};
  for (const [name, i] of Object.entries(INTERCEPTS)) if (i.word === word) bits[name] = i.bit;
  return bits;
}

function numberedBits(prefix: string, count: number): BitFields {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`${prefix}${n}`, n]));
}

const EVENT_BITS: BitFields = {
  VECTOR: [7, 0],
  TYPE: [10, 8],
  EV: 11,
  V: 31,
  ERRORCODE: [63, 32],
};
const EXCEPTION_BITS: BitFields = {
  ...{ DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12 },
  ...{ GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XF: 19 },
};
const CR0_BITS: BitFields = {
  ...{ PE: 0, MP: 1, EM: 2, TS: 3, ET: 4, NE: 5, WP: 16, AM: 18, NW: 29, CD: 30, PG: 31 },
};
const CR4_BITS: BitFields = {
  ...{ VME: 0, PVI: 1, TSD: 2, DE: 3, PSE: 4, PAE: 5, MCE: 6, PGE: 7, PCE: 8 },
  ...{ OSFXSR: 9, OSXMMEXCPT: 10, FSGSBASE: 16, PCIDE: 17, OSXSAVE: 18, SMEP: 20, SMAP: 21 },
};
const EFER_BITS: BitFields = { SCE: 0, LME: 8, LMA: 10, NXE: 11, SVME: 12, LMSLE: 13, FFXSR: 14 };
const RFLAGS_BITS: BitFields = {
  ...{ CF: 0, PF: 2, AF: 4, ZF: 6, SF: 7, TF: 8, IF: 9, DF: 10, OF: 11, IOPL: [13, 12] },
  ...{ NT: 14, RF: 16, VM: 17, AC: 18, VIF: 19, VIP: 20, ID: 21 },
};

const DR6_BITS: BitFields = { B0: 0, B1: 1, B2: 2, B3: 3, BD: 13, BS: 14, BT: 15 };
const DR7_BITS: BitFields = {
  ...{ L0: 0, G0: 1, L1: 2, G1: 3, L2: 4, G2: 5, L3: 6, G3: 7, LE: 8, GE: 9, GD: 13 },
  ...{ RW0: [17, 16], LEN0: [19, 18], RW1: [21, 20], LEN1: [23, 22] },
  ...{ RW2: [25, 24], LEN2: [27, 26], RW3: [29, 28], LEN3: [31, 30] },
};
const PAT_BITS: BitFields = {
  ...{ PA0: [2, 0], PA1: [10, 8], PA2: [18, 16], PA3: [26, 24] },
  ...{ PA4: [34, 32], PA5: [42, 40], PA6: [50, 48], PA7: [58, 56] },
};
const DBGCTL_BITS: BitFields = { LBR: 0, BTF: 1, PB0: 2, PB1: 3, PB2: 4, PB3: 5 };
const STAR_BITS: BitFields = { TARGET_EIP: [31, 0], SYSCALL_CS: [47, 32], SYSRET_CS: [63, 48] };

/** Named as in the manual; table B-1 (control area), then table B-2 (save area). */
export const VMCB_FIELDS = {
  INTERCEPT_CR_READ: control(0x000, "u16", "Intercept reads of CR0-15", numberedBits("CR", 16)),
  INTERCEPT_CR_WRITE: control(0x002, "u16", "Intercept writes of CR0-15", numberedBits("CR", 16)),
  INTERCEPT_DR_READ: control(0x004, "u16", "Intercept reads of DR0-15", numberedBits("DR", 16)),
  INTERCEPT_DR_WRITE: control(0x006, "u16", "Intercept writes of DR0-15", numberedBits("DR", 16)),
  INTERCEPT_EXCEPTIONS: control(0x008, "u32", "Intercept exception vectors 0-31", EXCEPTION_BITS),
  INTERCEPT_MISC1: control(
    0x00c,
    "u32",
    "Intercepts, word 3: interrupts, descriptor tables, instructions",
    interceptBits("interceptMisc1"),
  ),
  INTERCEPT_MISC2: control(
    0x010,
    "u32",
    "Intercepts, word 4: SVM and later instructions",
    interceptBits("interceptMisc2"),
  ),
  PAUSE_FILTER_THRESHOLD: control(0x03c, "u16", "Ticks between PAUSEs that restart the count"),
  PAUSE_FILTER_COUNT: control(0x03e, "u16", "PAUSEs until a PAUSE is intercepted"),
  IOPM_BASE_PA: control(0x040, "u64", "Physical address of the I/O permission map (12 KiB)"),
  MSRPM_BASE_PA: control(0x048, "u64", "Physical address of the MSR permission map (8 KiB)"),
  TSC_OFFSET: control(0x050, "u64", "Added to the TSC that the guest reads"),
  GUEST_ASID: control(0x058, "u32", "Address space identifier; 0 is the host's"),
  TLB_CONTROL: control(0x05c, "u8", "TLB flush at VMRUN: 0 none, 1 all, 3 this ASID, 7 non-global"),
  VINTR: control(0x060, "u64", "Virtual interrupt control", {
    ...{ V_TPR: [7, 0], V_IRQ: 8, V_GIF: 9, V_INTR_PRIO: [19, 16], V_IGN_TPR: 20 },
    ...{ V_INTR_MASKING: 24, V_GIF_ENABLE: 25, V_INTR_VECTOR: [39, 32] },
  }),
  INTERRUPT_SHADOW: control(0x068, "u64", "Guest is in an interrupt shadow", {
    INTERRUPT_SHADOW: 0,
    GUEST_INTERRUPT_MASK: 1,
  }),
  EXITCODE: control(0x070, "u64", "Why the guest was left (appendix C)"),
  EXITINFO1: control(0x078, "u64", "First word about the exit"),
  EXITINFO2: control(0x080, "u64", "Second word about the exit"),
  EXITINTINFO: control(0x088, "u64", "Event whose delivery the exit cut short", EVENT_BITS),
  NP_ENABLE: control(0x090, "u64", "Nested paging and encryption", {
    NP_ENABLE: 0,
    SEV: 1,
    SEV_ES: 2,
  }),
  AVIC_APIC_BAR: control(0x098, "u64", "AVIC: guest-physical base of the local APIC"),
  GHCB_PA: control(0x0a0, "u64", "SEV-ES: guest-hypervisor communication block"),
  EVENTINJ: control(0x0a8, "u64", "Event that VMRUN injects", EVENT_BITS),
  nCR3: control(0x0b0, "u64", "Root of the nested page tables"),
  VIRT_EXT: control(0x0b8, "u64", "Further virtualisation", {
    LBR_VIRTUALIZATION_ENABLE: 0,
    VIRTUALIZED_VMLOAD_VMSAVE: 1,
  }),
  VMCB_CLEAN: control(0x0c0, "u32", "State that the CPU may take from its cache", {
    ...{ I: 0, IOPM: 1, ASID: 2, TPR: 3, NP: 4, CRx: 5, DRx: 6, DT: 7, SEG: 8, CR2: 9 },
    ...{ LBR: 10, AVIC: 11 },
  }),
  nRIP: control(0x0c8, "u64", "Address of the instruction after the intercepted one"),
  NUMBER_OF_BYTES_FETCHED: control(0x0d0, "u8", "How many GUEST_INSTRUCTION_BYTES are valid"),
  GUEST_INSTRUCTION_BYTES: control(0x0d1, "bytes15", "Bytes at the guest's CS:RIP"),
  AVIC_BACKING_PAGE: control(0x0e0, "u64", "AVIC: backing page"),
  AVIC_LOGICAL_TABLE: control(0x0f0, "u64", "AVIC: logical table"),
  AVIC_PHYSICAL_TABLE: control(0x0f8, "u64", "AVIC: physical table"),

  ES: save(0x400, "segment", "ES with its hidden part"),
  CS: save(0x410, "segment", "CS with its hidden part"),
  SS: save(0x420, "segment", "SS with its hidden part"),
  DS: save(0x430, "segment", "DS with its hidden part"),
  FS: save(0x440, "segment", "FS with its hidden part (VMLOAD, VMSAVE)"),
  GS: save(0x450, "segment", "GS with its hidden part (VMLOAD, VMSAVE)"),
  GDTR: save(0x460, "segment", "GDTR: base and limit"),
  LDTR: save(0x470, "segment", "LDTR with its hidden part (VMLOAD, VMSAVE)"),
  IDTR: save(0x480, "segment", "IDTR: base and limit"),
  TR: save(0x490, "segment", "TR with its hidden part (VMLOAD, VMSAVE)"),
  CPL: save(0x4cb, "u8", "Current privilege level"),
  EFER: save(0x4d0, "u64", "Extended features", EFER_BITS),
  CR4: save(0x548, "u64", "Control register 4", CR4_BITS),
  CR3: save(0x550, "u64", "Root of the guest's page tables"),
  CR0: save(0x558, "u64", "Control register 0", CR0_BITS),
  DR7: save(0x560, "u64", "Debug control", DR7_BITS),
  DR6: save(0x568, "u64", "Debug status", DR6_BITS),
  RFLAGS: save(0x570, "u64", "Flags", RFLAGS_BITS),
  RIP: save(0x578, "u64", "Instruction pointer"),
  RSP: save(0x5d8, "u64", "Stack pointer"),
  RAX: save(0x5f8, "u64", "The only general register, with RSP, that VMRUN switches"),
  STAR: save(0x600, "u64", "SYSCALL selectors (VMLOAD, VMSAVE)", STAR_BITS),
  LSTAR: save(0x608, "u64", "SYSCALL target, 64-bit mode (VMLOAD, VMSAVE)"),
  CSTAR: save(0x610, "u64", "SYSCALL target, compatibility mode (VMLOAD, VMSAVE)"),
  SFMASK: save(0x618, "u64", "Flags that SYSCALL clears (VMLOAD, VMSAVE)"),
  KernelGsBase: save(0x620, "u64", "SWAPGS's other base (VMLOAD, VMSAVE)"),
  SYSENTER_CS: save(0x628, "u64", "SYSENTER code selector (VMLOAD, VMSAVE)"),
  SYSENTER_ESP: save(0x630, "u64", "SYSENTER stack (VMLOAD, VMSAVE)"),
  SYSENTER_EIP: save(0x638, "u64", "SYSENTER target (VMLOAD, VMSAVE)"),
  CR2: save(0x640, "u64", "Address of the last page fault"),
  G_PAT: save(0x668, "u64", "Guest PAT, with nested paging", PAT_BITS),
  DBGCTL: save(0x670, "u64", "Debug control MSR, with LBR virtualisation", DBGCTL_BITS),
  BR_FROM: save(0x678, "u64", "Last branch from, with LBR virtualisation"),
  BR_TO: save(0x680, "u64", "Last branch to, with LBR virtualisation"),
  LASTEXCPFROM: save(0x688, "u64", "Last exception from, with LBR virtualisation"),
  LASTEXCPTO: save(0x690, "u64", "Last exception to, with LBR virtualisation"),
} as const satisfies Record<string, VmcbField>;

export type VmcbFieldName = keyof typeof VMCB_FIELDS;

/** Bytes that a field takes. */
export const vmcbFieldBytes = (name: VmcbFieldName): number => WIDTH[VMCB_FIELDS[name].type];

/** One part of a decoded word. */
export interface DecodedBit {
  readonly name: string;
  readonly value: bigint;
  readonly width: number;
  /** Number of its lowest bit. */
  readonly low: number;
}

/** The parts of a word, in the order in which `bits` has them. */
export function decodeWord(bits: BitFields, value: bigint): readonly DecodedBit[] {
  return Object.entries(bits).map(([name, place]) => {
    const [high, low] = typeof place === "number" ? [place, place] : place;
    const width = high - low + 1;
    return { name, value: BigInt.asUintN(width, value >> BigInt(low)), width, low };
  });
}

/** The parts of a field that has bit fields; empty for other fields. */
export function decodeBits(name: VmcbFieldName, value: bigint): readonly DecodedBit[] {
  const field: VmcbField = VMCB_FIELDS[name];
  return decodeWord(field.bits ?? {}, value);
}

/** Set bits by name and non-zero parts as name=0x.., by spaces: "CPUID HLT", "V VECTOR=0xd". */
export function describeBits(name: VmcbFieldName, value: bigint): string {
  return describeWord(decodeBits(name, value));
}

/** As describeBits, of parts already decoded. */
export function describeWord(parts: readonly DecodedBit[]): string {
  return parts
    .filter((b) => b.value !== 0n)
    .map((b) => (b.width === 1 ? b.name : `${b.name}=0x${b.value.toString(16)}`))
    .join(" ");
}
