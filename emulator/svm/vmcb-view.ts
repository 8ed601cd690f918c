/** Typed reading and writing of one VMCB (or host save area) in physical memory. */

import type { PhysicalAddress, PhysicalMemory } from "../vcpu.ts";
import {
  VMCB_BYTES,
  VMCB_FIELDS,
  type VmcbFieldName,
  type VmcbType,
  vmcbFieldBytes,
} from "./vmcb.ts";

/** A segment register as the VMCB holds it. */
export interface VmcbSegment {
  readonly selector: number;
  readonly attributes: number;
  readonly limit: number;
  readonly base: bigint;
}

type ValueOfType<T extends VmcbType> = T extends "u8" | "u16" | "u32"
  ? number
  : T extends "u64"
    ? bigint
    : T extends "segment"
      ? VmcbSegment
      : Uint8Array;

/** What a field holds: numbers up to 32 bits, bigint for 64. */
export type VmcbValue<N extends VmcbFieldName> = ValueOfType<(typeof VMCB_FIELDS)[N]["type"]>;

type AnyValue = number | bigint | VmcbSegment | Uint8Array;

function decode(view: DataView, offset: number, type: VmcbType): AnyValue {
  switch (type) {
    case "u8":
      return view.getUint8(offset);
    case "u16":
      return view.getUint16(offset, true);
    case "u32":
      return view.getUint32(offset, true);
    case "u64":
      return view.getBigUint64(offset, true);
    case "segment":
      return {
        selector: view.getUint16(offset, true),
        attributes: view.getUint16(offset + 2, true),
        limit: view.getUint32(offset + 4, true),
        base: view.getBigUint64(offset + 8, true),
      };
    case "bytes15":
      return new Uint8Array(view.buffer, view.byteOffset + offset, 15).slice();
  }
}

/** A field of a copy of a VMCB; `bytes` starts where the VMCB does. */
export function vmcbFieldOf<N extends VmcbFieldName>(bytes: DataView, name: N): VmcbValue<N> {
  const field = VMCB_FIELDS[name];
  return decode(bytes, field.offset, field.type) as VmcbValue<N>;
}

/** The bytes of a field's value: what setVariable pokes. */
export function encodeVmcbField<N extends VmcbFieldName>(
  name: N,
  value: VmcbValue<N>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(vmcbFieldBytes(name));
  const view = new DataView(bytes.buffer);
  if (value instanceof Uint8Array) bytes.set(value.subarray(0, bytes.length));
  else if (typeof value === "object") {
    view.setUint16(0, value.selector, true);
    view.setUint16(2, value.attributes, true);
    view.setUint32(4, value.limit, true);
    view.setBigUint64(8, value.base, true);
  } else {
    const whole = BigInt(value);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Number((whole >> BigInt(8 * i)) & 0xffn);
  }
  return bytes;
}

/**
 * A VMCB at a physical address. Reads have no side effects (a VMCB in a hole reads all ones);
 * writes are those of the CPU: decoded code is dropped and write watchers are told.
 */
export class VmcbView {
  /** Through which VMRUN and #VMEXIT store by themselves. */
  static ofWorldSwitch(physical: PhysicalMemory, address: PhysicalAddress): VmcbView {
    return new VmcbView(physical, address, true);
  }

  constructor(physical: PhysicalMemory, address: PhysicalAddress, worldSwitch = false) {
    this.physical = physical;
    this.address = address;
    this.worldSwitch = worldSwitch;
    this.view = wholePage(physical, address);
  }
  readonly address: PhysicalAddress;
  private readonly physical: PhysicalMemory;
  private readonly worldSwitch: boolean;
  private readonly view: DataView;

  read<N extends VmcbFieldName>(name: N): VmcbValue<N> {
    return vmcbFieldOf(this.view, name);
  }

  write<N extends VmcbFieldName>(name: N, value: VmcbValue<N>): void {
    const at = this.address + VMCB_FIELDS[name].offset;
    if (value instanceof Uint8Array) {
      value.forEach((byte, i) => {
        this.store(at + i, 1, BigInt(byte));
      });
    } else if (typeof value === "object") {
      const { selector, attributes, limit, base } = value;
      const low = BigInt(selector) | (BigInt(attributes) << 16n) | (BigInt(limit >>> 0) << 32n);
      this.store(at, 8, low);
      this.store(at + 8, 8, BigInt.asUintN(64, base));
    } else {
      const bytes = vmcbFieldBytes(name);
      this.store(at, bytes, BigInt.asUintN(8 * bytes, BigInt(value)));
    }
  }

  private store(address: PhysicalAddress, bytes: number, value: bigint): void {
    this.physical.write(address, bytes, value, this.worldSwitch);
  }
}

/** The page in place if it is RAM, else a copy. */
function wholePage(physical: PhysicalMemory, address: PhysicalAddress): DataView {
  const pointer = physical.pointer(address);
  if (pointer >= 0) return new DataView(physical.memory.buffer, pointer, VMCB_BYTES);
  const copy = new Uint8Array(VMCB_BYTES).fill(0xff);
  copy.set(physical.peek(address, VMCB_BYTES));
  return new DataView(copy.buffer);
}
