/**
 * Unwinds frames of a Linux kernel by its ORC tables (Documentation/arch/x86/orc-unwinder.rst).
 *
 * orc_unwind_ip has one i32 an entry, relative to itself, ascending; orc_unwind has beside it six
 * bytes: i16 sp_offset, i16 bp_offset, then sp_reg in bits 0-3, bp_reg in bits 4-7 and the type above:
 *   since 6.4   type in bits 8-10 (undefined, end of stack, call, regs, partial regs), signal in bit 11
 *   6.3         type in bits 8-9 (call, regs, partial regs), signal in bit 10, end in bit 11
 *   before      type in bits 8-9, end in bit 10
 */
import { type FrameState, fromBytes } from "../location.ts";
import { REGISTERS } from "../registers.ts";
import type { Unwound } from "../unwind.ts";

type EntryType = "undefined" | "end" | "call" | "regs" | "partialRegs";

interface OrcEntry {
  readonly type: EntryType;
  readonly stackRegister: number;
  readonly stackOffset: number;
  readonly frameRegister: number;
  readonly frameOffset: number;
}

/** What the numbers of the two register fields stand for. */
const ORC_REGISTER = {
  undefined: 0,
  previousStack: 1,
  rdx: 2,
  rdi: 3,
  rbp: 4,
  rsp: 5,
  r10: 6,
  r13: 7,
  rbpIndirect: 8,
  rspIndirect: 9,
} as const;

const OLD_TYPES: readonly EntryType[] = ["call", "regs", "partialRegs", "undefined"];
const TYPES: readonly EntryType[] = ["undefined", "end", "call", "regs", "partialRegs"];

/** struct pt_regs, in its order; one u64 each. orig_ax is no register. */
const PT_REGS =
  "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi - rip cs rflags rsp ss".split(" ");
const PT_REGS_RIP = 16;
/** What the CPU pushes: rip, cs, rflags, rsp, ss. */
const IRET_FRAME = ["rip", "cs", "rflags", "rsp", "ss"];
const ENTRY_BYTES = 6;

const DWARF = new Map(REGISTERS.x86_64.names.map((name, number) => [name, number]));
const numberOf = (name: string): number => DWARF.get(name) as number;

export interface OrcTables {
  /** Address of the first entry of orc_unwind_ip. */
  readonly ipStart: bigint;
  readonly ips: Uint8Array;
  readonly entries: Uint8Array;
}

type Layout = "6.4" | "6.3" | "4.14";

export class OrcUnwinder {
  /** Where each entry begins to hold, relative to `ipStart`; ascending. */
  private readonly places: Float64Array;
  /** Index into the entries; undefined where the tables are in order already. */
  private readonly order: Uint32Array | undefined;
  private readonly ipStart: bigint;
  private readonly entries: DataView;
  private readonly layout: Layout;

  constructor(tables: OrcTables) {
    const { ipStart, ips, entries } = tables;
    this.ipStart = ipStart;
    this.entries = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
    const view = new DataView(ips.buffer, ips.byteOffset, ips.byteLength);
    const count = Math.min(ips.length >> 2, Math.floor(entries.length / ENTRY_BYTES));
    const places = new Float64Array(count);
    for (let i = 0; i < count; i++) places[i] = i * 4 + view.getInt32(i * 4, true);
    this.order = isAscending(places) ? undefined : orderOf(places);
    this.places = this.order ? Float64Array.from(this.order, (i) => places[i]!) : places;
    this.layout = layoutOf(this.entries, count);
  }

  /** The caller of the frame at `pc`. Never throws. */
  unwind(pc: bigint, state: FrameState): Unwound {
    const entry = this.entryAt(pc);
    if (entry === undefined) return unavailable("the kernel's ORC table does not cover this pc");
    if (entry.type === "end") return { kind: "end" };
    const { type } = entry;
    const stack = type === "undefined" ? undefined : stackOf(entry, state);
    if (type === "undefined" || stack === undefined) {
      return unavailable("the kernel's ORC table knows no frame here");
    }
    const frame = frameOf(entry, stack, state);
    if (type === "call") return calledFrom(stack, frame, state);
    return interruptedAt(type, stack, frame, state);
  }

  private entryAt(pc: bigint): OrcEntry | undefined {
    const place = Number(pc - this.ipStart);
    let [low, high] = [0, this.places.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.places[middle]! <= place) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const at = (this.order?.[low - 1] ?? low - 1) * ENTRY_BYTES;
    const word = this.entries.getUint16(at + 4, true);
    return {
      type: typeOf(word, this.layout),
      stackRegister: word & 0xf,
      stackOffset: this.entries.getInt16(at, true),
      frameRegister: (word >>> 4) & 0xf,
      frameOffset: this.entries.getInt16(at + 2, true),
    };
  }
}

function isAscending(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i]! < values[i - 1]!) return false;
  return true;
}

/** Kernels before 5.6 sort their tables themselves, early in the boot. */
function orderOf(values: Float64Array): Uint32Array {
  return Uint32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!);
}

/** Told apart by what most entries are (calls), and by which bits are in use at all. */
function layoutOf(entries: DataView, count: number): Layout {
  let calls = 0;
  let eleventh = 0;
  for (let i = 0; i < count; i++) {
    const word = entries.getUint16(i * ENTRY_BYTES + 4, true);
    if (((word >>> 8) & 7) === TYPES.indexOf("call")) calls++;
    if ((word & 0x800) !== 0) eleventh++;
  }
  if (calls > count / 2) return "6.4";
  return eleventh > 0 ? "6.3" : "4.14";
}

function typeOf(word: number, layout: Layout): EntryType {
  if (layout === "6.4") return TYPES[(word >>> 8) & 7] ?? "undefined";
  const isEnd = (word & (layout === "6.3" ? 0x800 : 0x400)) !== 0;
  return isEnd ? "end" : OLD_TYPES[(word >>> 8) & 3]!;
}

const unavailable = (reason: string): Unwound => ({ kind: "unavailable", reason });

function load(address: bigint, state: FrameState): bigint | undefined {
  const bytes = state.readMemory(BigInt.asUintN(64, address), 8);
  return bytes?.length === 8 ? fromBytes(bytes) : undefined;
}

/** The stack pointer before the call, or where the saved registers are. */
function stackOf(entry: OrcEntry, state: FrameState): bigint | undefined {
  const offset = BigInt(entry.stackOffset);
  const plus = (name: string) => {
    const base = state.register(numberOf(name));
    return base === undefined ? undefined : BigInt.asUintN(64, base + offset);
  };
  switch (entry.stackRegister) {
    case ORC_REGISTER.rsp:
      return plus("rsp");
    case ORC_REGISTER.rbp:
      return plus("rbp");
    case ORC_REGISTER.rdx:
    case ORC_REGISTER.rdi:
    case ORC_REGISTER.r10:
    case ORC_REGISTER.r13: {
      const names = { 2: "rdx", 3: "rdi", 6: "r10", 7: "r13" } as const;
      return plus(names[entry.stackRegister]);
    }
    case ORC_REGISTER.rbpIndirect: {
      const at = plus("rbp");
      return at === undefined ? undefined : load(at, state);
    }
    case ORC_REGISTER.rspIndirect: {
      const at = state.register(numberOf("rsp"));
      const value = at === undefined ? undefined : load(at, state);
      return value === undefined ? undefined : BigInt.asUintN(64, value + offset);
    }
    default:
      return undefined;
  }
}

/** The caller's rbp; undefined where it is not known. */
function frameOf(entry: OrcEntry, stack: bigint, state: FrameState): bigint | undefined {
  const current = state.register(numberOf("rbp"));
  const offset = BigInt(entry.frameOffset);
  switch (entry.frameRegister) {
    case ORC_REGISTER.previousStack:
      return load(stack + offset, state);
    case ORC_REGISTER.rbp:
      return current === undefined ? undefined : load(current + offset, state);
    default:
      return current;
  }
}

function calledFrom(stack: bigint, frame: bigint | undefined, state: FrameState): Unwound {
  const pc = load(stack - 8n, state);
  if (pc === undefined) return unavailable("its return address cannot be read");
  const known = new Map([
    [numberOf("rip"), pc],
    [numberOf("rsp"), stack],
  ]);
  if (frame !== undefined) known.set(numberOf("rbp"), frame);
  return {
    kind: "caller",
    pc,
    cfa: stack,
    isSignalFrame: false,
    state: withRegisters(known, state),
  };
}

/** Behind an interrupt, exception or system call: the registers that entry code or the CPU saved. */
function interruptedAt(
  type: "regs" | "partialRegs",
  at: bigint,
  frame: bigint | undefined,
  state: FrameState,
): Unwound {
  const names = type === "regs" ? PT_REGS : IRET_FRAME;
  const known = new Map<number, bigint>();
  if (frame !== undefined) known.set(numberOf("rbp"), frame);
  for (const [i, name] of names.entries()) {
    const value = name === "-" ? undefined : load(at + BigInt(8 * i), state);
    if (value !== undefined) known.set(numberOf(name), value);
  }
  const pc = known.get(numberOf("rip"));
  if (pc === undefined) return unavailable("the registers that it saved cannot be read");
  const iretFrame = type === "regs" ? at + BigInt(8 * PT_REGS_RIP) : at;
  const cfa = iretFrame + 40n;
  return { kind: "caller", pc, cfa, isSignalFrame: true, state: withRegisters(known, state) };
}

function withRegisters(known: ReadonlyMap<number, bigint>, state: FrameState): FrameState {
  return {
    register: (number) => known.get(number),
    readMemory: (address, length) => state.readMemory(address, length),
  };
}
