/** The scopes of the VMCB: every field of an area decoded, those that changed since the last exit first. */
import {
  describeEvent,
  exitName,
  VMCB_FIELDS,
  type VmcbField,
  type VmcbFieldName,
  type VmcbSegment,
  type VmcbView,
} from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import type { VmcbCopy } from "../exits/vmcb-history.ts";
import type { ShowNumber } from "../format.ts";
import { writePlace } from "../place-access.ts";
import { hex } from "../text.ts";
import type { SegmentPart, ValuePlace } from "../value-place.ts";
import { branch, type VariableNode } from "../variables.ts";
import { guestSource } from "./code-source.ts";
import { segmentNode } from "./segments.ts";
import type { Scope, ScopeView } from "./view.ts";
import { wordNode } from "./words.ts";

const TLB_CONTROL: Readonly<Record<string, string>> = {
  0: "none",
  1: "flush all",
  3: "flush this ASID",
  7: "flush this ASID's non-global",
};
/** What a whole field says, where its bits do not. */
const WORDS: { readonly [N in VmcbFieldName]?: (value: bigint) => string } = {
  EXITCODE: (value) => exitName(value),
  EXITINTINFO: describeEvent,
  EVENTINJ: describeEvent,
  TLB_CONTROL: (value) => TLB_CONTROL[String(value)] ?? "reserved",
};
/** Fields that hold an address of the guest's code. */
const CODE: ReadonlySet<VmcbFieldName> = new Set(["RIP", "nRIP", "LSTAR", "CSTAR", "SYSENTER_EIP"]);

/**
 * What a VMCB's fields are compared with. At an exit, before the host has executed anything: what
 * VMRUN found, so that the differences are what the guest's run made. Later: what the exit left, so
 * that they are what the host has changed.
 */
function baselineOf(debuggee: Debuggee, vmcb: number): VmcbCopy | undefined {
  const { exits } = debuggee;
  const isAtItsExit = exits.isAtExit && exits.last?.vmcb === vmcb;
  return isAtItsExit ? exits.history.atVmrun(vmcb) : exits.history.atExit(vmcb);
}

export const vmcbScope = (area: VmcbField["area"]): Scope => ({
  name: `VMCB ${area}`,
  children: (view) => {
    const { vmcb } = view.debuggee.spaces;
    return vmcb && branch((show) => vmcbFields(view, vmcb, area, show));
  },
});

function vmcbFields(
  { debuggee }: ScopeView,
  vmcb: VmcbView,
  area: VmcbField["area"],
  show: ShowNumber,
): VariableNode[] {
  const baseline = baselineOf(debuggee, vmcb.address);
  const names = (Object.keys(VMCB_FIELDS) as VmcbFieldName[]).filter(
    (name) => VMCB_FIELDS[name].area === area,
  );
  const isChanged = (name: VmcbFieldName) =>
    baseline !== undefined && !same(baseline.read(name), vmcb.read(name));
  const changed = names.filter(isChanged);
  const others = names.filter((name) => !changed.includes(name));
  return [...changed, ...others].map((name) => fieldNode(debuggee, vmcb, name, baseline, show));
}

type FieldValue = number | bigint | VmcbSegment | Uint8Array;

function same(a: FieldValue, b: FieldValue): boolean {
  if (typeof a !== "object" || typeof b !== "object") return a === b;
  const [left, right] = [Object.values(a), Object.values(b)];
  return left.every((part, i) => part === right[i]);
}

function bytesText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** One field of a VMCB, compared with a copy of it. */
function fieldNode(
  debuggee: Debuggee,
  vmcb: VmcbView,
  name: VmcbFieldName,
  baseline: VmcbCopy | undefined,
  show: ShowNumber,
): VariableNode {
  const field: VmcbField = VMCB_FIELDS[name];
  const value: FieldValue = vmcb.read(name);
  const was: FieldValue = baseline?.read(name) ?? value;
  const place: ValuePlace = { kind: "vmcb", vmcb: vmcb.address, field: name };
  const refer = (offset: number) => `hpa:${hex(vmcb.address + field.offset + offset)}`;
  const common = { type: field.doc, memoryReference: refer(0), evaluateName: `vmcb.${name}` };
  if (value instanceof Uint8Array) {
    const text = bytesText(value);
    const before = was instanceof Uint8Array ? bytesText(was) : text;
    return { name, value: before === text ? text : `${before} -> ${text}`, ...common };
  }
  if (typeof value === "object") {
    const write = (part: SegmentPart, number: bigint) =>
      writePlace(debuggee, { ...place, part }, number);
    const before = was as VmcbSegment;
    return segmentNode(
      { name, value, was: before, write, refer: partReference(refer) },
      show,
      common,
    );
  }
  const target = CODE.has(name) ? guestSource(debuggee, BigInt(value)) : undefined;
  return wordNode(
    {
      name,
      value: BigInt(value),
      was: BigInt(was as number | bigint),
      bits: field.bits,
      ...(WORDS[name] === undefined ? {} : { words: WORDS[name] }),
      place,
      write: (number) => writePlace(debuggee, place, number),
      read: () => BigInt(vmcb.read(name) as number | bigint),
    },
    show,
    { ...common, ...(target === undefined ? {} : { target }) },
  );
}

const PART_OFFSETS = { selector: 0, attributes: 2, limit: 4, base: 8 } as const;

const partReference = (refer: (offset: number) => string) => (part: SegmentPart) =>
  refer(PART_OFFSETS[part]);
