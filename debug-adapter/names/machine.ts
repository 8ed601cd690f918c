/** Names of the machine's own state: registers and their parts, MSRs, VMCB fields, memory. */
import {
  decodeBits,
  GENERAL_REGISTERS,
  MSRS,
  msrByNumber,
  SEGMENT_REGISTERS,
  VMCB_FIELDS,
  type VmcbField,
  type VmcbFieldName,
  type VmcbSegment,
  type VmcbView,
  vmcbFieldBytes,
} from "../../emulator/index.ts";
import { fromBytes } from "../../symbols/location.ts";
import { formatReference, parseSpace } from "../addresses/memory-reference.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Home } from "../expression/home.ts";
import type { NamedTerm, Term } from "../expression/term.ts";
import { readPlace } from "../place-access.ts";
import { type RegisterFile, registerPart, type World } from "../register-file.ts";
import { hex, NotYetError, UserError } from "../text.ts";
import type { Bits, SegmentPart, ValuePlace } from "../value-place.ts";
import { msrByName, plainName } from "./plain-name.ts";

/** The registers that a frame sees. */
export interface RegisterView {
  readonly world: World;
  readonly registers: RegisterFile | undefined;
  /** Why a register cannot be set; undefined where it can. */
  readonly fixedBecause?: string;
  /** Where a general register of a caller is kept; undefined where that is not known. */
  readonly keptIn?: (register: string) => ValuePlace | undefined;
}

const isField = (name: string): name is VmcbFieldName => Object.hasOwn(VMCB_FIELDS, name);
const SEGMENT_PARTS: readonly SegmentPart[] = ["selector", "attributes", "limit", "base"];

/** Registers that calls do not save: every frame has the CPU's. */
const SHARED = /^(?:[cd]r\d+|efer|[c-gs]s|[gil]dtr|tr)$/;

/** A register by its assembler name, without the $; undefined where there is none. */
export function registerTerm(
  debuggee: Debuggee,
  view: RegisterView,
  name: string,
): Term | undefined {
  const lower = name.toLowerCase();
  if (lower === "pc") return registerTerm(debuggee, view, "rip");
  const { world, registers } = view;
  const part = registerPart(lower);
  const kept = view.keptIn?.(part?.parent ?? lower);
  const fixedBecause = SHARED.test(lower) || kept ? undefined : view.fixedBecause;
  const value = registers?.get(lower);
  if (value !== undefined) {
    const size = lower.startsWith("xmm") ? 16 : 8;
    const place = kept ?? ({ kind: "register", world, name: lower } as const);
    return bitsTerm(lower.toUpperCase(), value, size, place, fixedBecause);
  }
  const parent = part && registers?.get(part.parent);
  if (part && parent !== undefined) {
    const bits = { offset: part.shift, width: part.width };
    const whole = kept ?? ({ kind: "register", world, name: part.parent } as const);
    const place = { ...whole, bits } as ValuePlace;
    return partTerm(parent, bits, place, fixedBecause);
  }
  const segment = registers?.segment(lower);
  if (segment === undefined) return undefined;
  const place = { kind: "register", world, name: lower } as const;
  return segmentTerm(segment, place, fixedBecause);
}

/** A word with the bits that the VMCB field of that name has, e.g. RFLAGS, CR0, VINTR. */
function bitsTerm(
  field: string,
  number: bigint,
  size: number,
  place: ValuePlace,
  fixedBecause?: string,
): Term {
  const base = { number, size, ...placed(place, fixedBecause) };
  if (!isField(field)) return base;
  const { bits }: VmcbField = VMCB_FIELDS[field];
  if (bits === undefined) return base;
  const byName = new Map(Object.entries(bits).map(([name, at]) => [plainName(name), at]));
  const member = (name: string): Term | undefined => {
    const at = byName.get(plainName(name));
    if (at === undefined) return undefined;
    const [high, low] = typeof at === "number" ? [at, at] : at;
    const part = { offset: low, width: high - low + 1 };
    return partTerm(number, part, { ...place, bits: part } as ValuePlace, fixedBecause);
  };
  const memberNames = () => decodeBits(field, number).map(({ name }) => ({ name }));
  return { ...base, member, memberNames, ...listed(memberNames, member) };
}

function partTerm(whole: bigint, bits: Bits, place: ValuePlace, fixedBecause?: string): Term {
  const number = BigInt.asUintN(bits.width, whole >> BigInt(bits.offset));
  return { number, size: Math.ceil(bits.width / 8), ...placed(place, fixedBecause) };
}

const placed = (place: ValuePlace, fixedBecause: string | undefined) =>
  fixedBecause === undefined ? { place } : { fixedBecause };

function segmentTerm(
  segment: VmcbSegment,
  place: Extract<ValuePlace, { kind: "register" | "vmcb" }>,
  fixedBecause?: string,
): Term {
  const member = (name: string): Term | undefined => {
    const part = SEGMENT_PARTS.find((each) => each === name);
    if (part === undefined) return undefined;
    const size = { selector: 2, attributes: 2, limit: 4, base: 8 }[part];
    const number = BigInt(segment[part]);
    return { number, size, ...placed({ ...place, part } as ValuePlace, fixedBecause) };
  };
  const memberNames = () => SEGMENT_PARTS.map((name) => ({ name }));
  const selector = member("selector") as Term;
  return { ...selector, member, memberNames, ...listed(memberNames, member) };
}

/** Children for the variables view, from the members. */
function listed(
  names: () => readonly { readonly name: string }[],
  member: (name: string) => Term | undefined,
) {
  const children = (start: number, count: number): NamedTerm[] =>
    names()
      .slice(start, start + count)
      .flatMap(({ name }) => {
        const term = member(name);
        return term ? [{ name, term, expression: (whole: string) => `${whole}.${name}` }] : [];
      });
  return { children, childCount: names().length };
}

/** $host and $guest: the registers of a world as members. */
export function worldTerm(debuggee: Debuggee, world: World): Term {
  const registers = debuggee.registers(world);
  if (registers === undefined) throw new NotYetError(`There is no ${world} yet.`);
  const member = (name: string): Term | undefined => {
    const found = registerTerm(debuggee, { world, registers }, name);
    if (found !== undefined || !isRegisterName(name)) return found;
    throw new UserError(`${name} of the ${world} is not known while the ${debuggee.world} runs`);
  };
  const memberNames = () => REGISTER_NAMES.map((name) => ({ name }));
  return {
    shown: `registers of the ${world}`,
    type: `registers of the ${world}`,
    member,
    memberNames,
  };
}

export const REGISTER_NAMES: readonly string[] = [
  ...GENERAL_REGISTERS,
  ...["rip", "rflags", "cr0", "cr2", "cr3", "cr4", "efer"],
  ...["dr0", "dr1", "dr2", "dr3", "dr6", "dr7"],
  ...SEGMENT_REGISTERS,
  ...["gdtr", "ldtr", "idtr", "tr"],
  ...Array.from({ length: 16 }, (_, n) => `xmm${n}`),
];

export function isRegisterName(name: string): boolean {
  const lower = name.toLowerCase();
  return REGISTER_NAMES.includes(registerPart(lower)?.parent ?? lower);
}

/** $msr: by name or number, as the CPU holds them now. */
export function msrsTerm(debuggee: Debuggee): Term {
  const term = (index: number): Term => {
    const place = { kind: "msr", index } as const;
    const number = fromBytes(readPlace(debuggee, place));
    const { name, write } = msrByNumber(index) as (typeof MSRS)[number];
    return bitsTerm(name, number, 8, place, write ? undefined : "the MSR is read-only");
  };
  const member = (name: string): Term | undefined => {
    const found = msrByName(name);
    return found && term(found.number);
  };
  const memberNames = () => MSRS.map(({ name }) => ({ name }));
  const index = (number: bigint) => term(Number(number));
  return { shown: "{MSRs}", type: "MSRs", member, memberNames, index };
}

const FIELD_NAMES = Object.keys(VMCB_FIELDS) as VmcbFieldName[];
const FIELD_MEMBERS = FIELD_NAMES.map((name) => ({ name, type: VMCB_FIELDS[name].doc }));
const BY_PLAIN_NAME = new Map(FIELD_NAMES.map((name) => [plainName(name), name]));

/** The type of a whole VMCB. */
export const VMCB_TYPE = "VMCB";

/** The VMCB with its fields as members; case and underscores do not matter. */
export function vmcbTerm(vmcb: VmcbView): Term {
  const member = (name: string): Term | undefined => {
    const field = BY_PLAIN_NAME.get(plainName(name));
    return field && fieldTerm(vmcb, field);
  };
  const memberNames = () => FIELD_MEMBERS;
  return {
    number: BigInt(vmcb.address),
    reference: `hpa:${hex(vmcb.address)}`,
    type: VMCB_TYPE,
    member,
    memberNames,
    ...listed(memberNames, member),
  };
}

function fieldTerm(vmcb: VmcbView, name: VmcbFieldName): Term {
  const value = vmcb.read(name);
  const reference = `hpa:${hex(vmcb.address + VMCB_FIELDS[name].offset)}`;
  const place = { kind: "vmcb", vmcb: vmcb.address, field: name } as const;
  if (value instanceof Uint8Array) {
    const text = Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return { shown: text, reference };
  }
  if (typeof value === "object") return { ...segmentTerm(value, place), reference };
  return { ...bitsTerm(name, BigInt(value), vmcbFieldBytes(name), place), reference };
}

/**
 * The C variable of the name `vmcb`, with the fields of the VMCB behind its own members. It becomes
 * the given term, which must be fresh: as a prototype it would cost more than all else in a condition.
 */
export function withFields(variable: Term, fields: Term): Term {
  const { member, memberNames } = variable;
  const both: Pick<Term, "member" | "memberNames"> = {
    member: (name) => member?.(name) ?? fields.member?.(name),
    memberNames: () => [...(memberNames?.() ?? []), ...(fields.memberNames?.() ?? [])],
  };
  return Object.assign(variable, both);
}

/** Memory at an address of a named space; read only when its value is asked for. */
export function memoryTerm(debuggee: Debuggee, text: string, address: bigint, size: number): Term {
  const { spaces } = debuggee;
  const space = spaces.resolve(parseSpace(text));
  const at = BigInt.asUintN(64, address);
  const place = { kind: "memory", space, address: at, size } as const;
  const home: Home = {
    space,
    state: {
      register: () => undefined,
      readMemory: (from, length) => {
        const bytes = spaces.read({ space, address: from }, length);
        return bytes.length === length ? bytes : undefined;
      },
    },
  };
  return {
    get number() {
      return fromBytes(readPlace(debuggee, place));
    },
    reference: formatReference({ space, address: at }),
    size,
    place,
    home,
    isMemory: true,
  };
}
