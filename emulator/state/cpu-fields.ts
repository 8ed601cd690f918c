/** The one table of CPU state: every field's name, place and width, from which all access to it derives. */

/** Width of a field in linear memory. "segment" is the VMCB's 16-byte form; "x87" holds 80 bits. */
export type FieldType = "u8" | "u16" | "u32" | "u64" | "u128" | "segment" | "x87";

/** "state" is machine state: saved and hashed. "derived" is recomputed from state, never saved. */
export type FieldKind = "state" | "derived";

export interface Field {
  readonly offset: number;
  readonly type: FieldType;
  readonly kind: FieldKind;
}

const WIDTH: Record<FieldType, number> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  u128: 16,
  segment: 16,
  x87: 16,
};

type Declared = readonly (readonly [name: string, type: FieldType, kind: FieldKind])[];

type Fields<T extends Declared> = {
  readonly [R in T[number] as R[0]]: Field & { readonly type: R[1] };
};

function layOut<const T extends Declared>(declared: T): Fields<T> {
  const fields: Record<string, Field> = {};
  let offset = 0;
  for (const [name, type, kind] of declared) {
    const width = WIDTH[type];
    offset = Math.ceil(offset / width) * width;
    fields[name] = { offset, type, kind };
    offset += width;
  }
  if (offset > 0x1000) throw new Error(`CPU fields take ${offset} bytes, over one page`);
  return fields as Fields<T>;
}

/**
 * General registers come first, at 8 * their encoding, so that a register operand is a byte offset.
 * `zero` is always 0 and stands for a missing base or index; `twoToThe32` is the index of a
 * rip-relative operand whose displacement and length together are over 31 bits. RFLAGS is kept in three parts
 * (state/flags.ts). Segments hold selector u16, attributes u16 (VMCB form: type, S, DPL, P, AVL, L,
 * D/B, G in bits 11:0), limit u32 (in bytes), base u64.
 */
export const CPU_FIELDS = layOut([
  ["rax", "u64", "state"],
  ["rcx", "u64", "state"],
  ["rdx", "u64", "state"],
  ["rbx", "u64", "state"],
  ["rsp", "u64", "state"],
  ["rbp", "u64", "state"],
  ["rsi", "u64", "state"],
  ["rdi", "u64", "state"],
  ["r8", "u64", "state"],
  ["r9", "u64", "state"],
  ["r10", "u64", "state"],
  ["r11", "u64", "state"],
  ["r12", "u64", "state"],
  ["r13", "u64", "state"],
  ["r14", "u64", "state"],
  ["r15", "u64", "state"],
  ["zero", "u64", "derived"],
  ["twoToThe32", "u64", "derived"],
  // Address of the current instruction, and where the next one is (written by the instruction).
  ["rip", "u64", "state"],
  ["nextRip", "u64", "derived"],
  ["flagResult", "u64", "state"],
  ["flagCarries", "u64", "state"],
  ["flagsOther", "u64", "state"],
  ["es", "segment", "state"],
  ["cs", "segment", "state"],
  ["ss", "segment", "state"],
  ["ds", "segment", "state"],
  ["fs", "segment", "state"],
  ["gs", "segment", "state"],
  ["gdtr", "segment", "state"],
  ["ldtr", "segment", "state"],
  ["idtr", "segment", "state"],
  ["tr", "segment", "state"],
  ["xmm0", "u128", "state"],
  ["xmm1", "u128", "state"],
  ["xmm2", "u128", "state"],
  ["xmm3", "u128", "state"],
  ["xmm4", "u128", "state"],
  ["xmm5", "u128", "state"],
  ["xmm6", "u128", "state"],
  ["xmm7", "u128", "state"],
  ["xmm8", "u128", "state"],
  ["xmm9", "u128", "state"],
  ["xmm10", "u128", "state"],
  ["xmm11", "u128", "state"],
  ["xmm12", "u128", "state"],
  ["xmm13", "u128", "state"],
  ["xmm14", "u128", "state"],
  ["xmm15", "u128", "state"],
  // Physical x87 registers R0..R7 (not stack-relative): significand u64, then sign and exponent u16.
  ["fpr0", "x87", "state"],
  ["fpr1", "x87", "state"],
  ["fpr2", "x87", "state"],
  ["fpr3", "x87", "state"],
  ["fpr4", "x87", "state"],
  ["fpr5", "x87", "state"],
  ["fpr6", "x87", "state"],
  ["fpr7", "x87", "state"],
  ["fip", "u64", "state"],
  ["fdp", "u64", "state"],
  ["fcs", "u16", "state"],
  ["fds", "u16", "state"],
  ["fcw", "u16", "state"],
  ["fsw", "u16", "state"],
  // Tag word in the full two-bit form: 0 valid, 1 zero, 2 special, 3 empty.
  ["ftw", "u16", "state"],
  ["fop", "u16", "state"],
  ["mxcsr", "u32", "state"],
  ["cr0", "u64", "state"],
  ["cr2", "u64", "state"],
  ["cr3", "u64", "state"],
  ["cr4", "u64", "state"],
  ["dr0", "u64", "state"],
  ["dr1", "u64", "state"],
  ["dr2", "u64", "state"],
  ["dr3", "u64", "state"],
  ["dr6", "u64", "state"],
  ["dr7", "u64", "state"],
  ["efer", "u64", "state"],
  ["star", "u64", "state"],
  ["lstar", "u64", "state"],
  ["cstar", "u64", "state"],
  ["sfmask", "u64", "state"],
  ["kernelGsBase", "u64", "state"],
  ["sysenterCs", "u64", "state"],
  ["sysenterEsp", "u64", "state"],
  ["sysenterEip", "u64", "state"],
  ["pat", "u64", "state"],
  ["tscOffset", "u64", "state"],
  ["tscAux", "u64", "state"],
  ["debugCtl", "u64", "state"],
  ["lastBranchFrom", "u64", "state"],
  ["lastBranchTo", "u64", "state"],
  ["lastExceptionFrom", "u64", "state"],
  ["lastExceptionTo", "u64", "state"],
  ["hwcr", "u64", "state"],
  ["syscfg", "u64", "state"],
  ["vmCr", "u64", "state"],
  ["vmHsavePa", "u64", "state"],
  // Legacy-PAE page-directory-pointer entries, loaded at MOV CR3 (without nested paging).
  ["pdpte0", "u64", "state"],
  ["pdpte1", "u64", "state"],
  ["pdpte2", "u64", "state"],
  ["pdpte3", "u64", "state"],
  ["cpl", "u8", "state"],
  // 1 for the instruction after STI, MOV SS or POP SS: interrupts are held off.
  ["interruptShadow", "u8", "state"],
  // 1 when a single-step trap (#DB) is due before the next instruction.
  ["trapDue", "u8", "state"],
  // B3 to B0 of DR6 for data and I/O breakpoints met: their trap is due after the instruction.
  ["breakpointsMet", "u8", "state"],
  ["nmiBlocked", "u8", "state"],
  ["nmiPending", "u8", "state"],
  // 1 in HLT, until an interrupt.
  ["halted", "u8", "state"],
  // 1 after a triple fault: the CPU executes nothing more.
  ["shutdown", "u8", "state"],
  ["gif", "u8", "state"],
  // SVM: 1 inside VMRUN. The other fields are the VMCB's values as loaded by VMRUN.
  ["guestMode", "u8", "state"],
  ["nestedPaging", "u8", "state"],
  ["virtualIntrMasking", "u8", "state"],
  ["virtualIrq", "u8", "state"],
  ["virtualTpr", "u8", "state"],
  ["virtualIrqPriority", "u8", "state"],
  ["virtualIgnoreTpr", "u8", "state"],
  ["virtualIrqVector", "u8", "state"],
  ["virtualGif", "u8", "state"],
  // Host RFLAGS.IF at VMRUN: with V_INTR_MASKING it gates physical interrupts.
  ["hostInterruptFlag", "u8", "state"],
  ["asid", "u32", "state"],
  ["interceptCr", "u32", "state"],
  ["interceptDr", "u32", "state"],
  ["interceptExceptions", "u32", "state"],
  ["interceptMisc1", "u32", "state"],
  ["interceptMisc2", "u32", "state"],
  ["vmcbAddress", "u64", "state"],
  ["nestedCr3", "u64", "state"],
  ["iopmBase", "u64", "state"],
  ["msrpmBase", "u64", "state"],
  ["hostTscOffset", "u64", "state"],
  ["pauseFilterCount", "u32", "state"],
  // #VMEXITs since reset: the number of the last one.
  ["exitCount", "u32", "state"],
  // Host paging mode for nested walks: the host's CR0, CR4 and EFER at VMRUN.
  ["hostCr0", "u64", "state"],
  ["hostCr4", "u64", "state"],
  ["hostEfer", "u64", "state"],
  // ---- derived: recomputed by Vcpu.deriveMode() or private to the execution engine ----
  // The event being delivered, in the form of EXITINTINFO; 0 between instructions.
  ["deliveredEvent", "u64", "derived"],
  // Instructions left in this slice; generated code returns when it is 0.
  ["budget", "u32", "derived"],
  // Ticks of virtual time at the end of this slice: less the budget, those at this instruction.
  ["ticksAtSliceEnd", "u64", "derived"],
  // Non-zero stops generated code after the current instruction: see ExitRequest in state/cpu-state.ts.
  ["exitRequest", "u32", "derived"],
  // Bit n: a breakpoint's record on a page n modulo 64, linear or host-physical, has to ask whether to stop.
  ["breakpointPages", "u64", "derived"],
  ["breakpointFrames", "u64", "derived"],
  // Linear-memory address of the current fast TLB bank.
  ["tlbBank", "u32", "derived"],
  // 0, or 1 while an interrupt waits for the guest to allow it: flag changes then end the slice.
  ["interruptWaiting", "u32", "derived"],
  // Non-zero when an x87, MMX or SSE instruction has checks that might not pass (CR0, CR4, FSW).
  ["unitTraps", "u32", "derived"],
  // 1 when the last instruction loaded RFLAGS.RF: then it does not clear it.
  ["resumeFlagLoaded", "u32", "derived"],
  // Fetch window: rip of its first byte, linear-memory address of its slot table, its length.
  ["windowRip", "u64", "derived"],
  ["windowSlots", "u32", "derived"],
  ["windowLength", "u32", "derived"],
  // Physical page number of the window, and linear-memory address of the bank of windows.
  ["windowFrame", "u32", "derived"],
  ["windowBank", "u32", "derived"],
  // Legacy modes: bytes [0, limit] that pass without a full check; -1 sends all to the slow path.
  ["esReadLimit", "u64", "derived"],
  ["csReadLimit", "u64", "derived"],
  ["ssReadLimit", "u64", "derived"],
  ["dsReadLimit", "u64", "derived"],
  ["fsReadLimit", "u64", "derived"],
  ["gsReadLimit", "u64", "derived"],
  ["esWriteLimit", "u64", "derived"],
  ["csWriteLimit", "u64", "derived"],
  ["ssWriteLimit", "u64", "derived"],
  ["dsWriteLimit", "u64", "derived"],
  ["fsWriteLimit", "u64", "derived"],
  ["gsWriteLimit", "u64", "derived"],
  // Mask of the stack pointer: 0xffff, 0xffffffff or all ones.
  ["stackMask", "u64", "derived"],
  // Where a slow access leaves or finds its bytes (64 of them).
  ["bounce0", "u128", "derived"],
  ["bounce1", "u128", "derived"],
  ["bounce2", "u128", "derived"],
  ["bounce3", "u128", "derived"],
]);

export type FieldName = keyof typeof CPU_FIELDS;

/** Encoding order of the general registers. */
export const GENERAL_REGISTERS = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;
export type GeneralRegister = (typeof GENERAL_REGISTERS)[number];

/** Encoding order of the segment registers that instructions can name. */
export const SEGMENT_REGISTERS = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
export type SegmentRegister = (typeof SEGMENT_REGISTERS)[number];
/** Every register with a hidden descriptor, in the form of the VMCB. */
export type DescriptorRegister = SegmentRegister | "gdtr" | "ldtr" | "idtr" | "tr";

/** Byte offset of XMM register n in the CPU state. */
export const xmmOffset = (n: number): number => CPU_FIELDS.xmm0.offset + n * 16;
