/** The scopes Registers, Flags, Segments, Control registers and MSRs of a world. */
import {
  decodeBits,
  describeBits,
  Flag,
  GENERAL_REGISTERS,
  type Machine,
  type VmcbFieldName,
  type VmcbSegment,
} from "../../emulator/index.ts";
import type { RegisterFile } from "../register-file.ts";
import { hex, parseInteger, UserError } from "../text.ts";
import { branch, type VariableNode } from "../variables.ts";

/** Makes the memory reference of a virtual address of the world. */
export type Refer = (address: bigint) => string | undefined;

const UNKNOWN = "not available yet";

/** Parses what the user typed for a number. Throws a UserError. */
function typedNumber(text: string): bigint {
  const value = parseInteger(text);
  if (value === undefined) throw new UserError(`"${text}" is not a number; write 0x.. or decimal.`);
  return value;
}

function registerNode(registers: RegisterFile, name: string, refer?: Refer): VariableNode {
  const value = registers.get(name);
  const reference = value === undefined ? undefined : refer?.(value);
  return {
    name,
    value: value === undefined ? UNKNOWN : hex(value),
    evaluateName: `$${name}`,
    ...(reference === undefined ? {} : { memoryReference: reference }),
    set: (text) => {
      if (!registers.set(name, typedNumber(text))) {
        throw new UserError(`${name} cannot be set here: only the running world has it.`);
      }
      return hex(registers.get(name) ?? 0n);
    },
  };
}

export function generalRegisters(registers: RegisterFile, refer: Refer): VariableNode[] {
  const names = [...GENERAL_REGISTERS, "rip", "rflags"];
  const vectors = (): VariableNode[] =>
    Array.from({ length: 16 }, (_, n) => {
      const value = registers.get(`xmm${n}`);
      return { name: `xmm${n}`, value: value === undefined ? UNKNOWN : hex(value) };
    });
  return [
    ...names.map((name) => registerNode(registers, name, name === "rflags" ? undefined : refer)),
    { name: "xmm", value: "16 registers", children: branch(vectors) },
  ];
}

export function flags(registers: RegisterFile): VariableNode[] {
  const rflags = registers.get("rflags");
  if (rflags === undefined) return [];
  const nodes = Object.entries(Flag).map(([name, bit]): VariableNode => {
    const place = BigInt(bit);
    return {
      name,
      value: String((rflags >> place) & 1n),
      set: (text) => {
        const value = typedNumber(text);
        if (value !== 0n && value !== 1n) throw new UserError(`The flag ${name} is 0 or 1.`);
        const now = registers.get("rflags") ?? 0n;
        if (!registers.set("rflags", (now & ~(1n << place)) | (value << place))) {
          throw new UserError("Flags cannot be set here.");
        }
        return String(value);
      },
    };
  });
  return [...nodes, { name: "IOPL", value: String((rflags >> 12n) & 3n) }];
}

const SEGMENTS = ["cs", "ss", "ds", "es", "fs", "gs", "gdtr", "idtr", "ldtr", "tr"];

export function segments(registers: RegisterFile): VariableNode[] {
  return SEGMENTS.map((name) => {
    const segment = registers.segment(name);
    if (segment === undefined) return { name, value: UNKNOWN };
    return segmentNode(name, segment);
  });
}

export function segmentNode(name: string, segment: VmcbSegment): VariableNode {
  const { selector, attributes, limit, base } = segment;
  const isTable = /^[gi]dtr$/i.test(name);
  const parts = isTable
    ? { base: hex(base), limit: hex(limit) }
    : {
        selector: hex(selector),
        base: hex(base),
        limit: hex(limit),
        attributes: `${hex(attributes)} (${attributeText(attributes)})`,
      };
  const value = Object.entries(parts).map(([part, text]) => `${part} ${text}`);
  return {
    name,
    value: value.join(", "),
    children: branch(() =>
      Object.entries(parts).map(([part, text]) => ({ name: part, value: text })),
    ),
  };
}

/** "code, DPL 0, P, L". */
function attributeText(attributes: number): string {
  const bit = (n: number, name: string) => ((attributes >> n) & 1 ? [name] : []);
  const system = ((attributes >> 4) & 1) === 0;
  const kind = system ? `system type ${hex(attributes & 15)}` : attributes & 8 ? "code" : "data";
  const dpl = `DPL ${(attributes >> 5) & 3}`;
  return [
    kind,
    dpl,
    ...bit(7, "P"),
    ...bit(8, "AVL"),
    ...bit(9, "L"),
    ...bit(10, "D/B"),
    ...bit(11, "G"),
  ].join(", ");
}

/** A word with its named bits inside. */
export function wordNode(name: string, field: VmcbFieldName, value: bigint): VariableNode {
  const words = describeBits(field, value);
  const bits = decodeBits(field, value);
  return {
    name,
    value: words === "" ? hex(value) : `${hex(value)} (${words})`,
    ...(bits.length === 0
      ? {}
      : {
          children: branch(() =>
            bits.map((bit) => ({
              name: bit.name,
              value: bit.width === 1 ? String(bit.value) : hex(bit.value),
            })),
          ),
        }),
  };
}

const WORDS: readonly (readonly [string, VmcbFieldName])[] = [
  ["cr0", "CR0"],
  ["cr4", "CR4"],
  ["efer", "EFER"],
];

export function controlRegisters(registers: RegisterFile): VariableNode[] {
  const names = ["cr0", "cr2", "cr3", "cr4", "efer", "dr0", "dr1", "dr2", "dr3", "dr6", "dr7"];
  return names.map((name) => {
    const node = registerNode(registers, name);
    const field = WORDS.find(([register]) => register === name)?.[1];
    const value = registers.get(name);
    if (field === undefined || value === undefined) return node;
    return {
      ...wordNode(name, field, value),
      evaluateName: `$${name}`,
      set: node.set as NonNullable<VariableNode["set"]>,
    };
  });
}

/** MSRs that the CPU holds now, whichever world set them. */
export function msrs(machine: Machine): VariableNode[] {
  const { state } = machine;
  const values: Readonly<Record<string, bigint>> = {
    EFER: state.efer,
    STAR: state.star,
    LSTAR: state.lstar,
    CSTAR: state.cstar,
    SFMASK: state.sfmask,
    FS_BASE: state.fs.base,
    GS_BASE: state.gs.base,
    KERNEL_GS_BASE: state.kernelGsBase,
    SYSENTER_CS: state.sysenterCs,
    SYSENTER_ESP: state.sysenterEsp,
    SYSENTER_EIP: state.sysenterEip,
    PAT: state.pat,
    TSC_AUX: state.tscAux,
    DEBUGCTL: state.debugCtl,
    HWCR: state.hwcr,
    SYSCFG: state.syscfg,
    VM_CR: state.vmCr,
    VM_HSAVE_PA: state.vmHsavePa,
  };
  return Object.entries(values).map(([name, value]) => ({ name, value: hex(value) }));
}
