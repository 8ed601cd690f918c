/** Data breakpoints as text: which bytes, register, MSR or VMCB field one watches. */
import { VMCB_FIELDS, type VmcbFieldName } from "../../emulator/index.ts";
import { formatReference, parseReference } from "../addresses/memory-reference.ts";
import { msrByName } from "../names/plain-name.ts";
import type { World } from "../register-file.ts";
import { hex, parseInteger, UserError } from "../text.ts";
import type { Bits, SegmentPart, ValuePlace } from "../value-place.ts";

const GRAMMAR =
  "REFERENCE,BYTES (as hpa:0x1000,8), reg:host:rax or reg:guest:rax, msr:0xc0000080 or msr:EFER, or vmcb:0x1000:FIELD";
const PARTS: readonly SegmentPart[] = ["selector", "attributes", "limit", "base"];
/** A data breakpoint that the user names by address has at most this many bytes. */
export const MAX_WATCHED_BYTES = 1 << 20;

/** The place as text that means the same in another session, where its address does. */
export function formatDataId(place: ValuePlace): string {
  const bits = place.bits === undefined ? "" : `#${place.bits.offset}+${place.bits.width}`;
  switch (place.kind) {
    case "memory":
      return `${formatReference(place)},${place.size}${bits}`;
    case "register":
      return `reg:${place.world}:${place.name}${partText(place.part)}${bits}`;
    case "msr":
      return `msr:${hex(place.index)}${bits}`;
    case "vmcb":
      return `vmcb:${hex(place.vmcb)}:${place.field}${partText(place.part)}${bits}`;
  }
}

const partText = (part: SegmentPart | undefined): string => (part === undefined ? "" : `.${part}`);

/** Throws a UserError that quotes the grammar. */
export function parseDataId(text: string): ValuePlace {
  const found = /^(.*?)(?:#(\d+)\+(\d+))?$/s.exec(text.trim());
  const bits = found?.[2] === undefined ? {} : { bits: bitsOf(found[2], found[3] ?? "0", text) };
  const whole = found?.[1] ?? "";
  const [kind] = whole.split(":");
  if (kind === "reg") return { ...registerOf(whole, text), ...bits };
  if (kind === "msr") return { ...msrOf(whole, text), ...bits };
  if (kind === "vmcb") return { ...vmcbOf(whole, text), ...bits };
  return { ...memoryOf(whole, text), ...bits };
}

function bad(text: string): UserError {
  return new UserError(`"${text}" is no data breakpoint's id; write ${GRAMMAR}.`);
}

function bitsOf(offset: string, width: string, text: string): Bits {
  const bits = { offset: Number(offset), width: Number(width) };
  if (bits.width < 1 || bits.width > 64 || bits.offset > 4096) throw bad(text);
  return bits;
}

function memoryOf(whole: string, text: string): ValuePlace {
  const comma = whole.lastIndexOf(",");
  const size = Number(whole.slice(comma + 1));
  if (comma < 0 || !Number.isInteger(size) || size < 1 || size > MAX_WATCHED_BYTES) throw bad(text);
  const { space, address } = parseReference(whole.slice(0, comma), "hpa");
  return { kind: "memory", space, address, size };
}

/** "rax" or "cs.base". */
function named(text: string | undefined, whole: string): { name: string; part?: SegmentPart } {
  const [name, partName, more] = (text ?? "").split(".");
  if (!name || more !== undefined) throw bad(whole);
  if (partName === undefined) return { name };
  const part = PARTS.find((each) => each === partName);
  if (part === undefined) throw bad(whole);
  return { name, part };
}

function registerOf(whole: string, text: string): ValuePlace {
  const [, world, register, more] = whole.split(":");
  if ((world !== "host" && world !== "guest") || more !== undefined) throw bad(text);
  return { kind: "register", world: world satisfies World, ...named(register, text) };
}

function msrOf(whole: string, text: string): ValuePlace {
  const name = whole.slice("msr:".length);
  const named = msrByName(name);
  if (named !== undefined) return { kind: "msr", index: named.number };
  const index = parseInteger(name);
  if (index === undefined || index < 0n || index > 0xffff_ffffn) throw bad(text);
  return { kind: "msr", index: Number(index) };
}

function vmcbOf(whole: string, text: string): ValuePlace {
  const [, address, field, more] = whole.split(":");
  const vmcb = parseInteger(address ?? "");
  const { name, part } = named(field, text);
  const isKnown = Object.hasOwn(VMCB_FIELDS, name);
  if (vmcb === undefined || vmcb < 0n || vmcb >= 1n << 52n || !isKnown || more !== undefined) {
    throw bad(text);
  }
  const place = { kind: "vmcb", vmcb: Number(vmcb), field: name as VmcbFieldName } as const;
  return part === undefined ? place : { ...place, part };
}
