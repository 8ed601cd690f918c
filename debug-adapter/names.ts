/** What names in expressions stand for: fields of an exit, registers, VMCB fields, C variables, symbols. */
import { decodeBits, VMCB_FIELDS, type VmcbFieldName, type VmcbView } from "../emulator/index.ts";
import type { Debuggee } from "./debuggee.ts";
import { type ExitRecord, fieldsOf } from "./exit-log.ts";
import { type NamedTerm, type Names, numberTerm, type Term } from "./expression/evaluate.ts";
import { formatReference, parseSpace, type SpaceName } from "./memory-reference.ts";
import { registerByName, type World } from "./register-file.ts";
import type { CodeFrame } from "./stack.ts";
import { fromBytes } from "./symbols/location.ts";
import { readValue, type Value } from "./symbols/value.ts";
import { hex, UserError } from "./text.ts";

/** Names in the condition of an exit breakpoint: the exit's fields and the guest's registers first. */
export function exitNames(debuggee: Debuggee, exit: ExitRecord): Names {
  const fields: Record<string, unknown> = { ...fieldsOf(exit, debuggee.machine) };
  const registers = debuggee.registers("guest");
  const own: Readonly<Record<string, bigint | undefined>> = {
    number: BigInt(exit.number),
    exitinfo1: exit.info1,
    exitinfo2: exit.info2,
    rip: exit.guestRip,
    leaf: BigInt.asUintN(32, exit.registers.get("rax") ?? 0n),
    // Fields that this exit does not have compare as 0, so that one condition serves all exits.
    ...{ port: 0n, size: 0n, in: 0n, msr: 0n, write: 0n, gpa: 0n, vector: 0n },
  };
  const register = (name: string): Term | undefined =>
    numeric(registers && registerByName(registers, name));
  return {
    name(name) {
      const field = fields[name];
      if (typeof field === "string") return { text: field };
      if (typeof field === "number" || typeof field === "bigint" || typeof field === "boolean") {
        return numberTerm(field);
      }
      const mine = own[name];
      if (mine !== undefined) return { number: mine };
      return register(name) ?? programName(debuggee, "host", undefined, name);
    },
    register,
    memory: (space, address, size) => memoryTerm(debuggee, space, address, size),
  };
}

/** Names where the machine is, or in a frame of the stack: locals first, then globals and registers. */
export function frameNames(debuggee: Debuggee, frame?: CodeFrame): Names {
  const world = frame?.world ?? debuggee.world;
  const registers = frame?.registers ?? debuggee.registers(world);
  const register = (name: string): Term | undefined =>
    numeric(registers && registerByName(registers, name));
  return {
    name(name) {
      const found = programName(debuggee, world, frame, name) ?? register(name);
      if (found !== undefined) return found;
      const exit = debuggee.exits.last;
      return exit && exitNames(debuggee, exit).name(name);
    },
    register,
    memory: (space, address, size) => memoryTerm(debuggee, space, address, size),
  };
}

const numeric = (value: bigint | undefined): Term | undefined =>
  value === undefined ? undefined : { number: value };

function programName(
  debuggee: Debuggee,
  world: World,
  frame: CodeFrame | undefined,
  name: string,
): Term | undefined {
  const space = spaceOf(debuggee, world);
  const local = frame?.variables.find((each) => each.name === name && !each.isShadowed);
  if (frame && local) {
    return valueTerm(readValue(name, local.type, local.locate(frame.state), frame.state), space);
  }
  const found = globalTerm(debuggee, frame, name, world) ?? globalTerm(debuggee, frame, name);
  if (name !== "vmcb") return found;
  const vmcb = debuggee.spaces.vmcb;
  if (vmcb === undefined) return found;
  const fields = vmcbTerm(vmcb);
  if (found === undefined) return fields;
  return { ...found, member: (field) => found.member?.(field) ?? fields.member?.(field) };
}

/** A C global or an ELF symbol, of the images of one world or of any. */
function globalTerm(
  debuggee: Debuggee,
  frame: CodeFrame | undefined,
  name: string,
  world?: World,
): Term | undefined {
  for (const image of debuggee.images.all) {
    if (world !== undefined && image.world !== world) continue;
    const space = spaceOf(debuggee, image.world);
    if (space === undefined) continue;
    const [global] = image.symbols.globalsNamed(name);
    const state = frame?.image === image ? frame.state : memoryState(debuggee, image.world);
    if (global) return valueTerm(readValue(name, global.type, global.locate(state), state), space);
    const [symbol] = image.symbols.symbols.named(name);
    if (symbol) {
      const reference = formatReference({ space, address: symbol.address });
      return { number: symbol.address, reference, shown: `${hex(symbol.address)} <${name}>` };
    }
  }
  return undefined;
}

function memoryState(debuggee: Debuggee, world: World) {
  return {
    register: () => undefined,
    readMemory: (address: bigint, length: number) => {
      const bytes = debuggee.readLinear(world, address, length);
      return bytes.length === length ? bytes : undefined;
    },
  };
}

/** Virtual addresses of a world; undefined for the guest before there is one. */
export function spaceOf(debuggee: Debuggee, world: World): SpaceName | undefined {
  if (world === "guest" && debuggee.spaces.guest === undefined) return undefined;
  return debuggee.spaces.resolve({ kind: world === "host" ? "hva" : "gva" });
}

/** A value of the program's source. */
export function valueTerm(value: Value, space: SpaceName | undefined): Term {
  const { address } = value;
  const place = address ?? (value.type.includes("*") ? value.number : undefined);
  const isPointer = value.type.includes("*") && value.childCount === 1;
  const target = (): Term | undefined => {
    const [child] = isPointer ? value.children(0, 1) : [];
    return child && valueTerm(child, space);
  };
  return {
    ...(value.number === undefined ? {} : { number: value.number }),
    ...(place === undefined || space === undefined
      ? {}
      : { reference: formatReference({ space, address: place }) }),
    shown: value.text,
    type: value.type,
    childCount: value.childCount,
    member: (name) => (isPointer ? target()?.member?.(name) : memberOf(value, name, space)),
    index: (index) => {
      if (isPointer || index < 0n || index >= BigInt(value.childCount)) return undefined;
      const [child] = value.children(Number(index), 1);
      return child && valueTerm(child, space);
    },
    target,
    children: (start, count) =>
      value
        .children(start, count)
        .map((each) => ({ name: each.name, term: valueTerm(each, space) })),
  };
}

/** A member by name, those of unnamed structs and unions included. */
function memberOf(value: Value, name: string, space: SpaceName | undefined): Term | undefined {
  for (const child of value.children()) {
    if (child.name === name) return valueTerm(child, space);
    const inner = child.name === "" ? memberOf(child, name, space) : undefined;
    if (inner) return inner;
  }
  return undefined;
}

const plain = (name: string): string => name.toLowerCase().replaceAll("_", "");
const FIELD_NAMES = Object.keys(VMCB_FIELDS) as VmcbFieldName[];
const BY_PLAIN_NAME = new Map(FIELD_NAMES.map((name) => [plain(name), name]));

/** The VMCB with its fields as members; case and underscores do not matter. */
function vmcbTerm(vmcb: VmcbView): Term {
  return {
    number: BigInt(vmcb.address),
    reference: `hpa:${hex(vmcb.address)}`,
    type: "VMCB",
    member: (name) => {
      const field = BY_PLAIN_NAME.get(plain(name));
      return field && fieldTerm(vmcb, field);
    },
  };
}

export function fieldTerm(vmcb: VmcbView, name: VmcbFieldName): Term {
  const value = vmcb.read(name);
  const reference = `hpa:${hex(vmcb.address + VMCB_FIELDS[name].offset)}`;
  if (value instanceof Uint8Array) {
    const text = Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return { shown: text, reference };
  }
  if (typeof value === "object") {
    const parts: Record<string, bigint> = {
      selector: BigInt(value.selector),
      attributes: BigInt(value.attributes),
      limit: BigInt(value.limit),
      base: value.base,
    };
    const member = (part: string) => numeric(parts[part]);
    return { shown: hex(value.selector), reference, member, ...partsOf(parts) };
  }
  const number = BigInt(value);
  const bits = Object.fromEntries(decodeBits(name, number).map((bit) => [bit.name, bit.value]));
  const member = (bit: string) => numeric(bits[bit]);
  return { number, reference, ...(Object.keys(bits).length > 0 ? { member } : {}) };
}

function partsOf(parts: Readonly<Record<string, bigint>>) {
  const children = (): NamedTerm[] =>
    Object.entries(parts).map(([name, number]) => ({ name, term: { number } }));
  return { children, childCount: Object.keys(parts).length };
}

function memoryTerm(debuggee: Debuggee, text: string, address: bigint, size: number): Term {
  const space = debuggee.spaces.resolve(parseSpace(text));
  const at = BigInt.asUintN(64, address);
  const bytes = debuggee.spaces.read({ space, address: at }, size);
  const reference = formatReference({ space, address: at });
  if (bytes.length < size) throw new UserError(`Memory at ${reference} cannot be read.`);
  return { number: fromBytes(bytes), reference };
}
