/** What a loader gives to the machine: bytes to place and the CPU state to start in. */

export interface MemoryWrite {
  /** Physical address. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** What it is, for display and for messages. */
  readonly what: string;
}

/** A segment register in the VMCB's form (attributes: type, S, DPL, P, AVL, L, D/B, G in 11:0). */
export interface SegmentState {
  readonly selector: number;
  readonly base: number;
  /** In bytes. */
  readonly limit: number;
  readonly attributes: number;
}

export type GeneralRegister = "eax" | "ebx" | "ecx" | "edx" | "esi" | "edi" | "ebp" | "esp";

/** Paging is off and interrupts are disabled in every entry state. */
export interface EntryState {
  readonly mode: "real" | "protected";
  readonly eip: number;
  /** Registers that are not named are 0. */
  readonly registers: { readonly [R in GeneralRegister]?: number };
  readonly cs: SegmentState;
  /** DS, ES, SS, FS and GS. */
  readonly data: SegmentState;
  readonly gdtr: { readonly base: number; readonly limit: number };
}

export interface BootImage {
  readonly kind: "multiboot" | "linux" | "rom";
  /** Name of the kernel's file. */
  readonly name: string;
  /** In order: where two overlap, the later one holds. */
  readonly writes: readonly MemoryWrite[];
  /** Read-only memory above RAM, for a ROM image: it is also among the writes, below 1 MiB. */
  readonly rom?: MemoryWrite;
  readonly entry: EntryState;
  /** The chips are to be left as firmware leaves them (Platform.setUpAsFirmware). */
  readonly firmware: boolean;
}

/** A file that was read by the caller. */
export interface ImageFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface ModuleFile extends ImageFile {
  /** The text after the file's name, if any. */
  readonly args?: string;
}

export interface LoadOptions {
  readonly kernel: ImageFile;
  /** Kernel command line. */
  readonly append?: string;
  readonly modules?: readonly ModuleFile[];
  readonly ramBytes: number;
}
