/** Where an interrupted instruction goes on: the saved rip, even if the handler changes it. */

import { fromBytes } from "../../symbols/location.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Delivery } from "../delivery-log.ts";
import { codeBits, linearOf, liveRegisters, type RegisterFile } from "../register-file.ts";

const PAGE_MASK = ~0xfffn;

/**
 * Watches the saved rip of an interrupt frame that was just pushed: a handler that recovers from a
 * fault writes another one there. A write stops the machine behind it.
 */
export class SavedRip {
  private readonly debuggee: Debuggee;
  private readonly registers: RegisterFile;
  private readonly width: number;
  private readonly slot: bigint;
  private readonly detach: () => void;
  private readonly unwatch: () => void;
  private isWritten = false;

  /** The CPU is at the first instruction of the handler. */
  constructor(debuggee: Debuggee, delivery: Delivery) {
    const { machine, world } = debuggee;
    this.debuggee = debuggee;
    this.registers = liveRegisters(machine);
    this.width = codeBits(this.registers) / 8;
    const stackBase = this.width === 8 ? 0n : (this.registers.segment("ss")?.base ?? 0n);
    const errorCode = delivery.errorCode === undefined ? 0 : this.width;
    this.slot = stackBase + machine.state.rsp + BigInt(errorCode);
    this.unwatch = machine.cpu.mmu.watchLinear(this.slot & PAGE_MASK);
    this.detach = machine.observe({
      name: "saved rip",
      on: {
        linearAccess: ({ linear, size, write, guest }) => {
          if (!write || guest !== (world === "guest")) return undefined;
          const end = this.slot + BigInt(this.width);
          if (linear + BigInt(size) <= this.slot || linear >= end) return undefined;
          this.isWritten = true;
          return "stop";
        },
      },
    });
  }

  /** The linear address that was written since the last time; undefined if none was. */
  takeChanged(): bigint | undefined {
    if (!this.isWritten) return undefined;
    this.isWritten = false;
    const { debuggee, slot, width } = this;
    const bytes = debuggee.readLinear(debuggee.world, slot, width);
    return bytes.length === width ? linearOf(this.registers, fromBytes(bytes)) : undefined;
  }

  dispose(): void {
    this.detach();
    this.unwatch();
  }
}
