/** Where an interrupted instruction goes on: the saved rip, even if the handler changes it. */

import { fromBytes } from "../../symbols/location.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Delivery } from "../delivery-log.ts";
import { codeBits, linearOf, liveRegisters, type RegisterFile } from "../register-file.ts";

const PAGE_MASK = ~0xfffn;

/** Where a delivery has pushed rip; the CPU is at the first instruction of the handler. */
export function pushedRip({ machine }: Debuggee, { errorCode }: Delivery): bigint {
  const registers = liveRegisters(machine);
  const width = codeBits(registers) / 8;
  const stackBase = width === 8 ? 0n : (registers.segment("ss")?.base ?? 0n);
  return stackBase + machine.state.rsp + BigInt(errorCode === undefined ? 0 : width);
}

/**
 * Watches the saved rip of an interrupt frame: a handler that recovers from a fault writes another
 * one there. A write stops the machine behind it.
 */
export class SavedRip {
  private readonly debuggee: Debuggee;
  private readonly registers: RegisterFile;
  private readonly width: number;
  private readonly slot: bigint;
  private readonly detach: () => void;
  private readonly unwatch: () => void;
  private isWritten = false;

  /** The CPU is in the handler, whose return address is kept at the linear address `slot`. */
  constructor(debuggee: Debuggee, slot: bigint) {
    const { machine, world } = debuggee;
    this.debuggee = debuggee;
    this.registers = liveRegisters(machine);
    this.width = codeBits(this.registers) / 8;
    this.slot = slot;
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
