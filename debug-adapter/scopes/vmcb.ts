/** The scopes of the VMCB: every field of the control or the save area, decoded. */
import {
  encodeVmcbField,
  exitName,
  VMCB_FIELDS,
  type VmcbField,
  type VmcbFieldName,
  type VmcbView,
} from "../../emulator/index.ts";
import { hex, parseInteger, UserError } from "../text.ts";
import type { VariableNode } from "../variables.ts";
import { segmentNode, wordNode } from "./registers.ts";

/** Writes bytes to physical memory as the debugger does. */
export type Poke = (address: number, bytes: Uint8Array) => void;

export function vmcbFields(vmcb: VmcbView, area: VmcbField["area"], poke: Poke): VariableNode[] {
  const names = Object.keys(VMCB_FIELDS) as VmcbFieldName[];
  return names
    .filter((name) => VMCB_FIELDS[name].area === area)
    .map((name) => fieldNode(vmcb, name, poke));
}

function fieldNode(vmcb: VmcbView, name: VmcbFieldName, poke: Poke): VariableNode {
  const field: VmcbField = VMCB_FIELDS[name];
  const value = vmcb.read(name);
  const common = {
    type: field.doc,
    memoryReference: `hpa:${hex(vmcb.address + field.offset)}`,
    evaluateName: `vmcb.${name}`,
  };
  if (value instanceof Uint8Array) {
    const text = Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return { name, value: text, ...common };
  }
  if (typeof value === "object") return { ...segmentNode(name, value), ...common };
  const word = wordNode(name, name, BigInt(value));
  const text = name === "EXITCODE" ? `${word.value} (${exitName(BigInt(value))})` : word.value;
  return {
    ...word,
    value: text,
    ...common,
    set: (typed) => {
      const number = parseInteger(typed);
      if (number === undefined) throw new UserError(`"${typed}" is not a number.`);
      poke(vmcb.address + field.offset, encodeVmcbField(name, number as never));
      return hex(BigInt(vmcb.read(name) as number | bigint));
    },
  };
}
