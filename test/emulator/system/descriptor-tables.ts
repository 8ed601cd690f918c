/** The GDT, IDT and TSS of the tests, and the modes in which a CPU uses them. */
import { assignSegment, decodeDescriptor } from "../../../emulator/system/descriptors.ts";
import { CR0, CR4, EFER } from "../../../emulator/system/mode.ts";
import { type BareMachine, createBareMachine } from "./bare-machine.ts";

export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const LDT = 0x3800;
/** Stacks: of each level and of IST1. */
export const STACK = { 0: 0x5000n, 1: 0x5800n, 3: 0x6000n, ist1: 0x7000n } as const;
export const HANDLER = 0x8000n;

/** Selectors, with attributes in the VMCB's form. */
const DESCRIPTORS = {
  code32: [0x08, 0xc9b],
  data32: [0x10, 0xc93],
  userCode32: [0x18, 0xcfb],
  userData32: [0x20, 0xcf3],
  code64: [0x28, 0xa9b],
  userCode64: [0x30, 0xafb],
  code16: [0x48, 0x09b],
  data16: [0x50, 0x093],
  expandDown: [0x58, 0xc97],
  conforming: [0x60, 0xc9f],
  absentData: [0x78, 0xc13],
  executeOnly: [0x80, 0xc99],
  readOnly: [0x88, 0xc91],
  freshData: [0x90, 0xc92],
  absentCode: [0x98, 0xc1b],
  longAndBig: [0xb0, 0xe9b],
  data1: [0xc0, 0xcb3],
  code1: [0xc8, 0xcbb],
} as const satisfies Record<string, readonly [number, number]>;
export type DescriptorName = keyof typeof DESCRIPTORS;

export const sel = (name: DescriptorName): number => DESCRIPTORS[name][0];
export const TSS_SELECTOR = 0x38;
export const LDT_SELECTOR = 0xa0;
export const CALL_GATE = 0x68;

/** The eight bytes of a descriptor with a limit in its own units. */
export function encodeDescriptor(base: bigint, units: number, attributes: number): bigint {
  const limit = BigInt(units);
  return (
    (limit & 0xffffn) |
    ((base & 0xff_ffffn) << 16n) |
    (BigInt(attributes & 0xff) << 40n) |
    ((limit >> 16n) << 48n) |
    (BigInt(attributes >> 8) << 52n) |
    ((base >> 24n) << 56n)
  );
}

/** A gate of the given system type. */
export function encodeGate(
  type: number,
  selector: number,
  offset: bigint,
  level = 0,
  low5 = 0,
): bigint {
  return (
    (offset & 0xffffn) |
    (BigInt(selector) << 16n) |
    (BigInt(low5) << 32n) |
    (BigInt(0x80 | (level << 5) | type) << 40n) |
    ((offset >> 16n) << 48n)
  );
}

export type Mode =
  | "real"
  | "protected16"
  | "protected32"
  | "virtual8086"
  | "compatibility"
  | "long";

function loadTables(machine: BareMachine): void {
  const { state } = machine;
  for (const [selector, attributes] of Object.values(DESCRIPTORS)) {
    const units = (attributes & 0x800) !== 0 ? 0xf_ffff : 0xffff;
    machine.write(GDT + selector, 8, encodeDescriptor(0n, units, attributes));
  }
  machine.write(GDT + DESCRIPTORS.expandDown[0], 8, encodeDescriptor(0n, 3, 0xc97));
  machine.write(GDT + TSS_SELECTOR, 8, encodeDescriptor(BigInt(TSS), 0xff, 0x89));
  machine.write(GDT + LDT_SELECTOR, 8, encodeDescriptor(BigInt(LDT), 0xff, 0x82));
  assignSegment(state.gdtr, { selector: 0, attributes: 0, limit: 0xfff, base: BigInt(GDT) });
  assignSegment(state.idtr, { selector: 0, attributes: 0, limit: 0xfff, base: BigInt(IDT) });
  assignSegment(state.tr, {
    selector: TSS_SELECTOR,
    attributes: 0x8b,
    limit: 0xff,
    base: BigInt(TSS),
  });
}

/** Gates for vectors 0 to 63, each handler 16 bytes after the one before. */
function loadGates(machine: BareMachine, long: boolean, type: number, selector: number): void {
  for (let vector = 0; vector < 64; vector++) {
    const gate = encodeGate(type, selector, HANDLER + BigInt(vector * 16), 3);
    machine.write(IDT + vector * (long ? 16 : 8), 8, gate);
  }
}

function loadTss(machine: BareMachine, long: boolean): void {
  if (long) {
    machine.write(TSS + 4, 8, STACK[0]);
    machine.write(TSS + 12, 8, STACK[1]);
    machine.write(TSS + 0x24, 8, STACK.ist1);
    return;
  }
  machine.write(TSS + 4, 4, STACK[0]);
  machine.write(TSS + 8, 2, sel("data32"));
  machine.write(TSS + 12, 4, STACK[1]);
  machine.write(TSS + 16, 2, sel("data1") | 1);
}

/** Puts a segment of the GDT into a register without checks. */
export function place(
  machine: BareMachine,
  register: "cs" | "ss" | "ds" | "es" | "fs" | "gs",
  name: DescriptorName,
  level: number,
): void {
  const selector = sel(name) | level;
  const { attributes, limit, base } = decodeDescriptor(machine.read(GDT + sel(name), 8));
  assignSegment(machine.state[register], { selector, attributes, limit, base });
}

function realSegments(machine: BareMachine, attributes: number): void {
  for (const name of ["cs", "ss", "ds", "es", "fs", "gs"] as const) {
    assignSegment(machine.state[name], { selector: 0x10, attributes, limit: 0xffff, base: 0x100n });
  }
}

const CODE: Partial<Record<Mode, readonly [DescriptorName, DescriptorName]>> = {
  protected16: ["code16", "userCode32"],
  protected32: ["code32", "userCode32"],
  compatibility: ["code32", "userCode32"],
  long: ["code64", "userCode64"],
};

/** A CPU at 0x4000 with its stack, in a mode, at CPL 0 or 3. */
export function machineIn(mode: Mode, cpl: 0 | 3 = 0): BareMachine {
  const machine = createBareMachine();
  const { state } = machine;
  const long = mode === "long" || mode === "compatibility";
  loadTables(machine);
  loadTss(machine, long);
  state.rip = 0x4000n;
  state.rsp = STACK[cpl] - 0x100n;
  state.cpl = mode === "virtual8086" ? 3 : cpl;
  state.cr0 = mode === "real" ? CR0.ET : CR0.ET | CR0.PE;
  if (mode === "real" || mode === "virtual8086") {
    realSegments(machine, mode === "real" ? 0x93 : 0xf3);
    state.rip = 0x400n;
    state.rsp = 0x3ff0n;
  } else {
    const [inner, outer] = CODE[mode] as readonly [DescriptorName, DescriptorName];
    place(machine, "cs", cpl === 0 ? inner : outer, cpl);
    const data = cpl === 3 ? "userData32" : mode === "protected16" ? "data16" : "data32";
    for (const name of ["ss", "ds", "es", "fs", "gs"] as const) place(machine, name, data, cpl);
  }
  if (mode === "virtual8086") state.flagsOther |= 1n << 17n;
  if (long) {
    state.cr0 |= CR0.PG;
    state.cr4 = CR4.PAE;
    state.efer = EFER.LME | EFER.LMA;
  }
  if (mode === "real") {
    for (let v = 0; v < 64; v++) machine.write(IDT + v * 4, 4, 0x0020_0000 + v * 16);
  } else {
    const narrow = mode === "protected16";
    const handler = long ? "code64" : narrow ? "code16" : "code32";
    loadGates(machine, long, narrow ? 6 : 14, sel(handler));
  }
  machine.cpu.deriveMode();
  return machine;
}
