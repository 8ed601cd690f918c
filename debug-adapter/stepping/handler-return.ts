/** Where an interrupted instruction goes on: the saved rip and stack, even if the handler changes them. */

import { fromBytes } from "../../symbols/location.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Delivery } from "../delivery-log.ts";
import { codeBits, linearOf, liveRegisters, type RegisterFile } from "../register-file.ts";

const PAGE_MASK = ~0xfffn;

/** What IRET will load; of what is missing it loads nothing, or what was interrupted. */
interface Return {
  readonly linear: bigint;
  readonly ring?: number;
  readonly rsp?: bigint;
}

/** Where a delivery has pushed rip; the CPU is at the first instruction of the handler. */
export function pushedRip({ machine }: Debuggee, { errorCode }: Delivery): bigint {
  const registers = liveRegisters(machine);
  const width = codeBits(registers) / 8;
  const stackBase = width === 8 ? 0n : (registers.segment("ss")?.base ?? 0n);
  return stackBase + machine.state.rsp + BigInt(errorCode === undefined ? 0 : width);
}

/**
 * Watches an interrupt frame from the saved rip on: a handler that recovers from a fault writes another
 * one there, perhaps with another stack. A write stops the machine behind it.
 */
export class HandlerReturn {
  private readonly debuggee: Debuggee;
  private readonly registers: RegisterFile;
  private readonly width: number;
  private readonly slot: bigint;
  /** In long mode SS:RSP is pushed, and popped, whatever ring was interrupted (section 8.9.3). */
  private readonly words: 1 | 5;
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
    this.words = this.width === 8 ? 5 : 1;
    // A frame may lie on two pages.
    const last = this.slot + BigInt(this.words * this.width) - 1n;
    const pages = new Set([this.slot & PAGE_MASK, last & PAGE_MASK]);
    const unwatches = Array.from(pages, (page) => machine.cpu.mmu.watchLinear(page));
    this.unwatch = () => {
      for (const unwatch of unwatches) unwatch();
    };
    this.detach = machine.observe({
      name: "handler return",
      on: {
        linearAccess: ({ linear, size, write, guest }) => {
          if (!write || guest !== (world === "guest")) return undefined;
          const end = this.slot + BigInt(this.words * this.width);
          if (linear + BigInt(size) <= this.slot || linear >= end) return undefined;
          this.isWritten = true;
          return "stop";
        },
      },
    });
  }

  /** Where it returns to as far as that was written since the last time; undefined if nothing was. */
  takeChanged(): Return | undefined {
    if (!this.isWritten) return undefined;
    this.isWritten = false;
    const { debuggee, slot, width, words, registers } = this;
    const bytes = debuggee.readLinear(debuggee.world, slot, words * width);
    if (bytes.length < words * width) return undefined;
    const word = (n: number) => fromBytes(bytes.subarray(n * width, (n + 1) * width));
    const linear = linearOf(registers, word(0));
    return words === 1 ? { linear } : { linear, ring: Number(word(1) & 3n), rsp: word(3) };
  }

  dispose(): void {
    this.detach();
    this.unwatch();
  }
}
