/** Reads and writes the places where values live; reading changes nothing. */
import {
  encodeVmcbField,
  GuestFault,
  msrByNumber,
  VMCB_FIELDS,
  type VmcbSegment,
  VmcbView,
  vmcbFieldBytes,
  writeMsr,
} from "../emulator/index.ts";
import { bitsOf, fromBytes, toBytes } from "../symbols/location.ts";
import { formatReference, type MemoryReference } from "./addresses/memory-reference.ts";
import type { Debuggee } from "./debuggee.ts";
import { SAVED_SEGMENTS } from "./register-file.ts";
import { hex, UserError } from "./text.ts";
import type { Bits, SegmentPart, ValuePlace } from "./value-place.ts";

type PlaceOf<K extends ValuePlace["kind"]> = Extract<ValuePlace, { kind: K }>;

const PART_BYTES: Readonly<Record<SegmentPart, number>> = {
  selector: 2,
  attributes: 2,
  limit: 4,
  base: 8,
};
/** Of a segment in the VMCB (appendix B). */
const PART_OFFSETS: Readonly<Record<SegmentPart, number>> = {
  selector: 0,
  attributes: 2,
  limit: 4,
  base: 8,
};

/** Bytes that the value takes; of bits, the bytes that can hold them. */
export function placeSize(place: ValuePlace): number {
  if (place.bits !== undefined) return Math.ceil(place.bits.width / 8);
  switch (place.kind) {
    case "memory":
      return place.size;
    case "register":
      return place.part ? PART_BYTES[place.part] : place.name.startsWith("xmm") ? 16 : 8;
    case "msr":
      return 8;
    case "vmcb":
      return place.part ? PART_BYTES[place.part] : vmcbFieldBytes(place.field);
  }
}

/** "hpa:0x1000", "rax of the guest", "MSR 0xc0000080", "VMCB field nCR3". */
export function placeName(place: ValuePlace): string {
  switch (place.kind) {
    case "memory":
      return formatReference(place);
    case "register":
      return `${place.name}${place.part ? `.${place.part}` : ""} of the ${place.world}`;
    case "msr":
      return `MSR ${hex(place.index)}`;
    case "vmcb":
      return `VMCB field ${place.field}${place.part ? `.${place.part}` : ""}`;
  }
}

/** Where the place lies in memory; undefined for registers. */
export function placeReference(
  place: ValuePlace,
): (MemoryReference & { readonly size: number }) | undefined {
  if (place.kind === "memory") return place;
  if (place.kind !== "vmcb") return undefined;
  const { offset, size } = vmcbBytes(place);
  return { space: { kind: "hpa" }, address: BigInt(place.vmcb + offset), size };
}

/** The value's bytes, little-endian. Throws a UserError where it cannot be read. */
export function readPlace(debuggee: Debuggee, place: ValuePlace): Uint8Array {
  const whole = readWhole(debuggee, place);
  if (place.bits === undefined) return whole;
  const { offset, width } = place.bits;
  return toBytes(bitsOf(whole, offset, width), placeSize(place));
}

/**
 * Writes a number, of which the bits that fit are taken, or as many bytes as the place has. Throws
 * a UserError that says why it cannot be written; then nothing has changed.
 */
export function writePlace(
  debuggee: Debuggee,
  place: ValuePlace,
  value: bigint | Uint8Array,
): void {
  const { bits } = place;
  const size = placeSize(place);
  if (value instanceof Uint8Array && value.length !== size) {
    throw new UserError(`${placeName(place)} takes ${size} bytes, not ${value.length}.`);
  }
  const number = typeof value === "bigint" ? value : fromBytes(value);
  if (bits === undefined) {
    writeWhole(debuggee, place, typeof value === "bigint" ? toBytes(value, size) : value);
    return;
  }
  const whole = readWhole(debuggee, place);
  const joined = withBits(fromBytes(whole), bits, number);
  writeWhole(debuggee, place, toBytes(joined, whole.length));
}

export function withBits(whole: bigint, { offset, width }: Bits, value: bigint): bigint {
  const mask = ((1n << BigInt(width)) - 1n) << BigInt(offset);
  return (whole & ~mask) | ((BigInt.asUintN(width, value) << BigInt(offset)) & mask);
}

function readWhole(debuggee: Debuggee, place: ValuePlace): Uint8Array {
  switch (place.kind) {
    case "memory": {
      const length = memoryLength(place);
      const bytes = debuggee.spaces.read(place, length);
      if (bytes.length === length) return bytes;
      throw new UserError(`Memory at ${formatReference(place)} cannot be read.`);
    }
    case "register":
      return readRegister(debuggee, place);
    case "msr":
      return toBytes(msrAt(place.index).read(debuggee.machine.cpu), 8);
    case "vmcb": {
      const { offset, size } = vmcbBytes(place);
      return debuggee.machine.memory.peek(place.vmcb + offset, size);
    }
  }
}

function msrAt(index: number) {
  const msr = msrByNumber(index);
  if (msr !== undefined) return msr;
  throw new UserError(`The machine has no MSR ${hex(index)}: to read or write it is a #GP.`);
}

/** All bytes that a bit field touches. */
function memoryLength({ bits, size }: PlaceOf<"memory">): number {
  return bits === undefined ? size : Math.ceil((bits.offset + bits.width) / 8);
}

function vmcbBytes({ field, part }: PlaceOf<"vmcb">): { offset: number; size: number } {
  const { offset } = VMCB_FIELDS[field];
  if (part === undefined) return { offset, size: vmcbFieldBytes(field) };
  return { offset: offset + PART_OFFSETS[part], size: PART_BYTES[part] };
}

function readRegister(debuggee: Debuggee, place: PlaceOf<"register">): Uint8Array {
  const { world, name, part } = place;
  const registers = debuggee.registers(world);
  const segment = part && registers?.segment(name);
  const value = part ? segment && BigInt(segment[part]) : registers?.get(name);
  if (value === undefined) throw new UserError(`${name} of the ${world} is not known now.`);
  return toBytes(value, part ? PART_BYTES[part] : name.startsWith("xmm") ? 16 : 8);
}

function writeWhole(debuggee: Debuggee, place: ValuePlace, bytes: Uint8Array): void {
  const number = fromBytes(bytes);
  if (place.kind === "memory") writeMemory(debuggee, place, bytes);
  else if (place.kind === "msr") writeModelSpecific(debuggee, place.index, number);
  else if (place.kind === "vmcb") writeVmcb(debuggee, place, bytes);
  else if (place.part === undefined) writeRegister(debuggee, place, number);
  else writeSegmentPart(debuggee, place, place.part, number);
}

function writeMemory({ spaces }: Debuggee, place: PlaceOf<"memory">, bytes: Uint8Array): void {
  const writable = spaces.read(place, bytes.length).length;
  if (writable === bytes.length && spaces.write(place, bytes) === bytes.length) return;
  throw new UserError(`Memory at ${formatReference(place)} cannot be written.`);
}

/** The machine loads all fields at VMRUN whatever VMCB_CLEAN says, so no clean bit needs to go. */
function writeVmcb(
  { machine, changes }: Debuggee,
  place: PlaceOf<"vmcb">,
  bytes: Uint8Array,
): void {
  const { offset, size } = vmcbBytes(place);
  const address = place.vmcb + offset;
  if (machine.memory.peek(address, size).length === size) {
    changes.enter({ kind: "memory", address, bytes });
    return;
  }
  throw new UserError(`The VMCB at hpa:${hex(place.vmcb)} cannot be written: it is not in RAM.`);
}

function writeRegister(debuggee: Debuggee, place: PlaceOf<"register">, value: bigint): void {
  const { world, name } = place;
  if (debuggee.registers(world)?.set(name, value)) return;
  throw new UserError(
    world === debuggee.world
      ? `${name} cannot be set.`
      : `${name} of the ${world} cannot be set while the ${debuggee.world} runs: it is not in the VMCB, and where the ${world} saved it is not known.`,
  );
}

type SegmentName = keyof typeof SAVED_SEGMENTS;

function writeSegmentPart(
  debuggee: Debuggee,
  { world, name }: PlaceOf<"register">,
  part: SegmentPart,
  value: bigint,
): void {
  const { machine, spaces } = debuggee;
  const old = debuggee.registers(world)?.segment(name);
  if (old === undefined || !(name in SAVED_SEGMENTS)) {
    throw new UserError(`${name} of the ${world} cannot be set now.`);
  }
  const segment: VmcbSegment = { ...old, [part]: part === "base" ? value : Number(value) };
  const segmentName = name as SegmentName;
  if (world === debuggee.world) {
    debuggee.changes.edit((state) => Object.assign(state[segmentName], segment));
    return;
  }
  const area =
    world === "guest" ? spaces.vmcb : new VmcbView(machine.memory, Number(machine.state.vmHsavePa));
  if (area === undefined) throw new UserError(`There is no ${world} yet.`);
  const field = SAVED_SEGMENTS[segmentName];
  const address = area.address + VMCB_FIELDS[field].offset;
  debuggee.changes.enter({ kind: "memory", address, bytes: encodeVmcbField(field, segment) });
}

function writeModelSpecific(debuggee: Debuggee, index: number, value: bigint): void {
  const msr = msrAt(index);
  if (msr.write === undefined) throw new UserError(`The MSR ${msr.name} is read-only.`);
  try {
    debuggee.changes.edit(() => writeMsr(debuggee.machine.cpu, index, value));
  } catch (caught) {
    if (!(caught instanceof GuestFault)) throw caught;
    throw new UserError(`The MSR ${msr.name} cannot hold ${hex(value)}: WRMSR would fault.`);
  }
}
