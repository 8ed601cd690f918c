/** The windows through which generated code fetches: pages whose translation the instruction TLB holds. */

import type { CpuState } from "../state/cpu-state.ts";
import {
  bankIndex,
  CODE_TLB_ENTRIES,
  NO_WINDOW_TAG,
  PAGE_SIZE,
  WINDOW_BANKS,
  WINDOW_ENTRY,
  WINDOW_OFFSET,
} from "../state/memory-map.ts";

const BANK_BYTES = CODE_TLB_ENTRIES * WINDOW_ENTRY;
const EMPTY_BANK = WINDOW_BANKS - 1;

export class FetchWindows {
  constructor(memory: WebAssembly.Memory, state: CpuState) {
    this.state = state;
    this.base = state.base + WINDOW_OFFSET;
    this.view = new DataView(memory.buffer);
    this.words = new BigUint64Array(
      memory.buffer,
      this.base,
      (WINDOW_BANKS * BANK_BYTES) / BigUint64Array.BYTES_PER_ELEMENT,
    );
    this.dropAll();
  }
  private readonly state: CpuState;
  private readonly base: number;
  private readonly view: DataView;
  private readonly words: BigUint64Array;
  /** Code size and ASID that the windows of each bank belong to. */
  private readonly rules: number[] = [];

  /** Forgets the current window: the next fetch looks it up. */
  dropCurrent(): void {
    this.state.windowLength = 0;
  }

  /** Forgets every window: translations were flushed, or slot tables are gone. */
  dropAll(): void {
    this.words.fill(NO_WINDOW_TAG);
    this.dropCurrent();
  }

  /**
   * Chooses the bank for the present mode. `flat`: linear addresses are rips, with no limit in the
   * way. Windows made under another rule (code size, ASID) are forgotten.
   */
  selectBank(flat: boolean, rule: number): void {
    const { state } = this;
    this.dropCurrent();
    const bank = flat ? (state.guestMode !== 0 ? 2 : 0) + (state.cpl === 3 ? 1 : 0) : EMPTY_BANK;
    state.windowBank = this.base + bank * BANK_BYTES;
    if (!flat || this.rules[bank] === rule) return;
    this.rules[bank] = rule;
    const from = (bank * BANK_BYTES) / 8;
    this.words.fill(NO_WINDOW_TAG, from, from + BANK_BYTES / 8);
  }

  /** Remembers the current window, in place of the one whose TLB entry it took. */
  keep(): void {
    const { state, view } = this;
    if (state.windowBank === this.base + EMPTY_BANK * BANK_BYTES) return;
    const at = this.entry(state.windowRip);
    view.setBigUint64(at, state.windowRip, true);
    view.setUint32(at + 8, state.windowSlots, true);
    view.setUint32(at + 12, state.windowFrame, true);
  }

  /** The instruction TLB now holds the page of `linear`: a window of another page there must go. */
  replaced(linear: bigint): void {
    const at = this.entry(linear);
    const page = linear & ~BigInt(PAGE_SIZE - 1);
    if (this.view.getBigUint64(at, true) === page) return;
    this.view.setBigUint64(at, NO_WINDOW_TAG, true);
  }

  private entry(linear: bigint): number {
    const index = bankIndex(Number(BigInt.asUintN(32, linear)), CODE_TLB_ENTRIES);
    return this.state.windowBank + index * WINDOW_ENTRY;
  }
}
