/** What each VMCB held when its guest was last entered and last left, to show what changed since. */
import {
  type Machine,
  VMCB_FIELDS,
  type VmcbFieldName,
  type VmcbValue,
  vmcbFieldBytes,
  vmcbFieldOf,
} from "../../emulator/index.ts";

/** A VMCB as it was at some instant. */
export interface VmcbCopy {
  read<N extends VmcbFieldName>(name: N): VmcbValue<N>;
}

/** The bytes of a VMCB that have a meaning: all fields lie below. */
const MEANINGFUL_BYTES = Math.max(
  ...(Object.keys(VMCB_FIELDS) as VmcbFieldName[]).map(
    (name) => VMCB_FIELDS[name].offset + vmcbFieldBytes(name),
  ),
);
/** VMCBs that are kept; one that is met beyond takes the place of the one met first. */
const LIMIT = 64;

class Copy implements VmcbCopy {
  private readonly bytes = new Uint8Array(MEANINGFUL_BYTES);
  private readonly view = new DataView(this.bytes.buffer);
  isMade = false;

  take(machine: Machine, vmcb: number): void {
    const at = machine.memory.pointer(vmcb);
    this.isMade = at >= 0;
    if (!this.isMade) return;
    this.bytes.set(new Uint8Array(machine.memory.memory.buffer, at, MEANINGFUL_BYTES));
  }

  read<N extends VmcbFieldName>(name: N): VmcbValue<N> {
    return vmcbFieldOf(this.view, name);
  }

  save(): Uint8Array | undefined {
    return this.isMade ? this.bytes.slice() : undefined;
  }

  static of(saved: Uint8Array | undefined): Copy {
    const copy = new Copy();
    copy.isMade = saved !== undefined;
    if (saved !== undefined) copy.bytes.set(saved);
    return copy;
  }
}

interface Copies {
  readonly entered: Copy;
  readonly left: Copy;
}

/** Plain data, a VMCB each: its address, and its bytes as it was entered and left. */
export type SavedVmcbs = readonly (readonly [
  number,
  Uint8Array | undefined,
  Uint8Array | undefined,
])[];

export class VmcbHistory {
  private readonly machine: Machine;
  private copies = new Map<number, Copies>();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** Before VMRUN looks at the VMCB: as the host made it. */
  entering(vmcb: number): void {
    this.of(vmcb).entered.take(this.machine, vmcb);
  }

  /** After #VMEXIT wrote the VMCB. */
  leaving(vmcb: number): void {
    this.of(vmcb).left.take(this.machine, vmcb);
  }

  /** As its last VMRUN found it. */
  atVmrun(vmcb: number): VmcbCopy | undefined {
    const copy = this.copies.get(vmcb)?.entered;
    return copy?.isMade ? copy : undefined;
  }

  /** As its last #VMEXIT left it. */
  atExit(vmcb: number): VmcbCopy | undefined {
    const copy = this.copies.get(vmcb)?.left;
    return copy?.isMade ? copy : undefined;
  }

  save(): SavedVmcbs {
    return Array.from(this.copies, ([vmcb, { entered, left }]) => [
      vmcb,
      entered.save(),
      left.save(),
    ]);
  }

  restore(saved: SavedVmcbs): void {
    this.copies = new Map(
      saved.map(([vmcb, entered, left]) => [
        vmcb,
        { entered: Copy.of(entered), left: Copy.of(left) },
      ]),
    );
  }

  private of(vmcb: number): Copies {
    const known = this.copies.get(vmcb);
    if (known !== undefined) return known;
    const [first] = this.copies.keys();
    if (this.copies.size >= LIMIT && first !== undefined) this.copies.delete(first);
    const copies = { entered: new Copy(), left: new Copy() };
    this.copies.set(vmcb, copies);
    return copies;
  }
}
