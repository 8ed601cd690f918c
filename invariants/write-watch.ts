/** Pages whose writes invariants are about beside page tables: the VMCB's and the program's text. */
import { type Machine, type ObserverEvents, PAGE_SIZE } from "../emulator/index.ts";
import { type AddressRange, overlapping } from "./address-range.ts";
import type { WriteFacts } from "./model/view.ts";
import { watchRange } from "./watched-ranges.ts";

export type PendingWrite = WriteFacts & { readonly icount: number };
type WriteEvent = ObserverEvents["physicalWrite"];

export class WriteWatch {
  private readonly machine: Machine;
  private readonly text: readonly AddressRange[];
  private readonly releases: (() => void)[];
  private vmcb: { readonly address: number; readonly release: () => void } | undefined;
  private readonly wantsVmcb: boolean;
  /** A write to the VMCB while a guest runs: the CPU's own if an exit comes at once. */
  pending: PendingWrite | undefined;

  constructor(machine: Machine, text: readonly AddressRange[], wantsVmcb: boolean) {
    this.machine = machine;
    this.text = text;
    this.wantsVmcb = wantsVmcb;
    this.releases = text.map((range) => watchRange(machine.memory, range));
  }

  dispose(): void {
    for (const release of this.releases.splice(0)) release();
    this.vmcb?.release();
    this.vmcb = undefined;
  }

  /** The VMCB that is watched from now on. */
  watchVmcb(address: number): void {
    if (!this.wantsVmcb || this.vmcb?.address === address) return;
    this.vmcb?.release();
    const release = this.machine.memory.watchWrites(address);
    this.vmcb = { address: this.machine.memory.canonical(address), release };
  }

  /** Goes to another instant, at which this VMCB is in use. */
  restore(vmcb: number | undefined, pending: PendingWrite | undefined): void {
    this.vmcb?.release();
    this.vmcb = undefined;
    if (vmcb !== undefined) this.watchVmcb(vmcb);
    this.pending = pending;
  }

  factsOf({ address, size, before, after }: WriteEvent): WriteFacts {
    const byGuest = this.machine.state.guestMode !== 0;
    return { address, bytes: size, before, after, msr: undefined, byGuest };
  }

  isText({ address, size }: WriteEvent): boolean {
    return overlapping(this.text, address, size) !== undefined;
  }

  /** A write to the VMCB by the host is one at once; a guest's is seen when it is known not to be an exit's. */
  vmcbWrite(event: WriteEvent): WriteFacts | undefined {
    const page = this.vmcb?.address;
    if (page === undefined || event.address < page || event.address >= page + PAGE_SIZE)
      return undefined;
    if (this.machine.state.guestMode === 0) return this.factsOf(event);
    const { icount } = this.machine;
    const before = this.takePending(icount);
    const { address, size, before: was, after } = event;
    const msr = undefined;
    this.pending = { address, bytes: size, before: was, after, msr, byGuest: true, icount };
    return before;
  }

  /** The guest's write that waits, unless it belongs to what happens at `icount`: an exit's own writes. */
  takePending(icount: number): WriteFacts | undefined {
    const { pending } = this;
    this.pending = undefined;
    return pending !== undefined && pending.icount !== icount ? pending : undefined;
  }
}
