/** Registers of a world by name: the CPU's own, the guest's in its VMCB, or the host's at VMRUN. */
import {
  Attribute,
  type Changes,
  CPU_FIELDS,
  type CpuState,
  EFER,
  type ExtendedRegister,
  encodeVmcbField,
  type FieldName,
  GENERAL_REGISTERS,
  type GeneralRegister,
  getRflags,
  type Machine,
  SEGMENT_REGISTERS,
  setRflags,
  VMCB_FIELDS,
  type VmcbSegment,
  VmcbView,
} from "../emulator/index.ts";
import type { ExitRecord } from "./exits/exit-log.ts";
import type { VmcbCopy } from "./exits/vmcb-history.ts";
import type { CodeBits } from "./services.ts";

export type World = "host" | "guest";

export interface RegisterFile {
  /** General registers, rip, rflags, cr0 to cr4, efer; undefined where it is not kept. */
  get(name: string): bigint | undefined;
  /** False where this register cannot be set here. */
  set(name: string, value: bigint): boolean;
  segment(name: string): VmcbSegment | undefined;
}

const CONTROL = ["cr0", "cr2", "cr3", "cr4", "efer"] as const;
const DEBUG = ["dr0", "dr1", "dr2", "dr3", "dr6", "dr7"] as const;
const isGeneral = (name: string): name is GeneralRegister =>
  (GENERAL_REGISTERS as readonly string[]).includes(name);
const isOf = <T extends string>(names: readonly T[], name: string): name is T =>
  (names as readonly string[]).includes(name);

const ALL_SEGMENTS = [...SEGMENT_REGISTERS, "gdtr", "ldtr", "idtr", "tr"] as const;

/** Control and status of x87 and SSE. */
const UNIT_WORDS = ["fcw", "fsw", "ftw", "fop", "fcs", "fds", "mxcsr"] as const;
const UNIT_POINTERS = ["fip", "fdp"] as const;
type VectorRegister = Extract<FieldName, `xmm${number}`>;
const isVector = (name: string): name is VectorRegister =>
  name.startsWith("xmm") && Object.hasOwn(CPU_FIELDS, name);

const TOP_SHIFT = 11;

/** st0 to st7 count from the top of the stack, mm0 to mm7 are the registers themselves. */
function extendedRegister(state: CpuState, name: string): ExtendedRegister | undefined {
  const found = /^(st|mm)([0-7])$/.exec(name);
  if (found === null) return undefined;
  const top = found[1] === "st" ? (state.fsw >> TOP_SHIFT) & 7 : 0;
  return state[`fpr${(Number(found[2]) + top) & 7}` as "fpr0"];
}

/** As instructions leave them: writing mm sets sign and exponent to all ones (APM volume 1, 5.5). */
function setUnitRegister({ state }: Machine, name: string, value: bigint): boolean {
  const extended = extendedRegister(state, name);
  if (extended !== undefined) {
    extended.significand = BigInt.asUintN(64, value);
    const isMmx = name.startsWith("mm");
    extended.signExponent = isMmx ? 0xffff : Number(BigInt.asUintN(16, value >> 64n));
  } else if (isOf(UNIT_POINTERS, name)) state[name] = BigInt.asUintN(64, value);
  else if (isOf(UNIT_WORDS, name))
    state[name] = Number(BigInt.asUintN(name === "mxcsr" ? 32 : 16, value));
  else return false;
  return true;
}

/** The CPU's registers as they are now. Setting rip or a flag takes effect at the next step. */
export function liveRegisters(machine: Machine, changes: Changes = machine): RegisterFile {
  const { state } = machine;
  const setNow = (name: string, value: bigint): boolean => {
    if (isGeneral(name)) state[name] = BigInt.asUintN(64, value);
    else if (name === "rip") state.rip = BigInt.asUintN(64, value);
    else if (name === "rflags") setRflags(state, value);
    else if (isOf(CONTROL, name) || isOf(DEBUG, name)) state[name] = BigInt.asUintN(64, value);
    else if (isVector(name)) state[name] = BigInt.asUintN(128, value);
    else return setUnitRegister(machine, name, value);
    return true;
  };
  return {
    get(name) {
      if (isGeneral(name)) return state[name];
      if (name === "rip") return state.rip;
      if (name === "rflags") return getRflags(state);
      if (isOf(CONTROL, name) || isOf(DEBUG, name)) return state[name];
      if (isVector(name)) return state[name];
      if (isOf(UNIT_WORDS, name) || isOf(UNIT_POINTERS, name)) return BigInt(state[name]);
      const extended = extendedRegister(state, name);
      if (extended === undefined) return undefined;
      const { significand, signExponent } = extended;
      return name.startsWith("mm") ? significand : (BigInt(signExponent) << 64n) | significand;
    },
    set(name, value) {
      let isSet = false;
      changes.edit(() => {
        isSet = setNow(name, value);
      });
      return isSet;
    },
    segment: (name) => (isOf(ALL_SEGMENTS, name) ? state[name] : undefined),
  };
}

const SAVED = {
  rax: "RAX",
  rsp: "RSP",
  rip: "RIP",
  rflags: "RFLAGS",
  cr0: "CR0",
  cr2: "CR2",
  cr3: "CR3",
  cr4: "CR4",
  efer: "EFER",
  dr6: "DR6",
  dr7: "DR7",
} as const;
/** Segment registers that a VMCB and the host save area hold, by their field. */
export const SAVED_SEGMENTS = {
  es: "ES",
  cs: "CS",
  ss: "SS",
  ds: "DS",
  fs: "FS",
  gs: "GS",
  gdtr: "GDTR",
  ldtr: "LDTR",
  idtr: "IDTR",
  tr: "TR",
} as const;

/** The guest's registers in a copy of its VMCB; they cannot be set. */
export function copiedRegisters(copy: VmcbCopy): RegisterFile {
  return {
    get: (name) => (name in SAVED ? copy.read(SAVED[name as keyof typeof SAVED]) : undefined),
    set: () => false,
    segment: (name) =>
      name in SAVED_SEGMENTS
        ? copy.read(SAVED_SEGMENTS[name as keyof typeof SAVED_SEGMENTS])
        : undefined,
  };
}

function savedRegisters(
  area: VmcbView,
  others: ReadonlyMap<string, bigint>,
  changes: Changes,
): RegisterFile {
  const saved = copiedRegisters(area);
  return {
    get: (name) => saved.get(name) ?? others.get(name),
    set(name, value) {
      if (!(name in SAVED)) return false;
      const field = SAVED[name as keyof typeof SAVED];
      const bytes = encodeVmcbField(field, BigInt.asUintN(64, value));
      changes.enter({ kind: "memory", address: area.address + VMCB_FIELDS[field].offset, bytes });
      return true;
    },
    segment: saved.segment,
  };
}

/**
 * The guest while the host runs: the VMCB, and the general registers that the last exit found. `live`
 * are the CPU's registers where the host has not executed anything since: all that #VMEXIT does not
 * switch is still the guest's, and can be set.
 */
export function exitedGuestRegisters(
  vmcb: VmcbView,
  exit: ExitRecord | undefined,
  live: RegisterFile | undefined,
  changes: Changes,
): RegisterFile {
  const others = exit?.vmcb === vmcb.address ? exit.registers : new Map<string, bigint>();
  const saved = savedRegisters(vmcb, others, changes);
  if (live === undefined) return saved;
  return {
    get: (name) => (name in SAVED ? saved : live).get(name),
    set: (name, value) => (name in SAVED ? saved : live).set(name, value),
    segment: saved.segment,
  };
}

/** The host while the guest runs: what VMRUN saved; general registers but RAX and RSP are lost. */
export function suspendedHostRegisters(machine: Machine, changes: Changes): RegisterFile {
  const { state, memory } = machine;
  return savedRegisters(new VmcbView(memory, Number(state.vmHsavePa)), new Map(), changes);
}

/** Size of the code that CS selects. */
export function codeBits(registers: RegisterFile): CodeBits {
  const attributes = registers.segment("cs")?.attributes ?? 0;
  const long = ((registers.get("efer") ?? 0n) & EFER.LMA) !== 0n;
  if (long && (attributes & Attribute.long) !== 0) return 64;
  return (attributes & Attribute.big) !== 0 ? 32 : 16;
}

/** Linear address of an offset in CS. */
export function linearOf(registers: RegisterFile, rip: bigint): bigint {
  if (codeBits(registers) === 64) return rip;
  return BigInt.asUintN(32, (registers.segment("cs")?.base ?? 0n) + rip);
}

/** A register or a part of one by its assembler name: rax, eax, ax, al, ah, r8d, eip, cs. */
export function registerByName(registers: RegisterFile, name: string): bigint | undefined {
  const lower = name.toLowerCase();
  const whole = registers.get(lower);
  if (whole !== undefined) return whole;
  const part = registerPart(lower);
  const parent = part && registers.get(part.parent);
  if (part && parent !== undefined) return BigInt.asUintN(part.width, parent >> BigInt(part.shift));
  const segment = registers.segment(lower);
  return segment === undefined ? undefined : BigInt(segment.selector);
}

/** The whole register and the bits of it that a part is: al, r8d, eflags. */
export function registerPart(
  name: string,
): { parent: string; width: number; shift: number } | undefined {
  const numbered = /^r(8|9|1[0-5])([dwb])$/.exec(name);
  if (numbered) {
    const width = { d: 32, w: 16, b: 8 }[numbered[2] as "d" | "w" | "b"];
    return { parent: `r${numbered[1]}`, width, shift: 0 };
  }
  if (/^e(ax|bx|cx|dx|si|di|bp|sp|ip)$/.test(name)) {
    return { parent: `r${name.slice(1)}`, width: 32, shift: 0 };
  }
  if (name === "eflags") return { parent: "rflags", width: 32, shift: 0 };
  if (/^(ax|bx|cx|dx|si|di|bp|sp|ip)$/.test(name)) {
    return { parent: `r${name}`, width: 16, shift: 0 };
  }
  if (/^(si|di|bp|sp)l$/.test(name)) {
    return { parent: `r${name.slice(0, 2)}`, width: 8, shift: 0 };
  }
  const byte = /^([abcd])([lh])$/.exec(name);
  return byte ? { parent: `r${byte[1]}x`, width: 8, shift: byte[2] === "h" ? 8 : 0 } : undefined;
}
