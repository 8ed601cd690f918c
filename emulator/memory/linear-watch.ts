/** The linear pages whose data accesses are told, and the telling. */

import type { ObserverEvents } from "../observers.ts";
import type { CpuState } from "../state/cpu-state.ts";
import type { PhysicalAddress } from "../vcpu.ts";
import { join32 } from "./halves.ts";
import type { MachineMemory } from "./physical-memory.ts";

export type LinearAccess = ObserverEvents["linearAccess"];

/** A linear page as a number: bits 63:12 of an address given as its halves. */
const pageOf = (low: number, high: number): number => (high >>> 0) * 2 ** 20 + (low >>> 12);

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}

export class LinearWatches {
  /** Told of each access to bytes of a watched page, after its effect. */
  onAccess: (access: LinearAccess) => void = () => {};

  readonly #memory: MachineMemory;
  readonly #state: CpuState;
  readonly #pages = new Map<number, number>();

  constructor(memory: MachineMemory, state: CpuState) {
    this.#memory = memory;
    this.#state = state;
  }

  /** Counted: true if this is the page's first watch. */
  add(linear: bigint): boolean {
    const page = Number(BigInt.asUintN(64, linear) >> 12n);
    const count = this.#pages.get(page) ?? 0;
    this.#pages.set(page, count + 1);
    return count === 0;
  }

  remove(linear: bigint): void {
    const page = Number(BigInt.asUintN(64, linear) >> 12n);
    const left = (this.#pages.get(page) ?? 1) - 1;
    if (left > 0) this.#pages.set(page, left);
    else this.#pages.delete(page);
  }

  covers(low: number, high: number): boolean {
    return this.#pages.size !== 0 && this.#pages.has(pageOf(low, high));
  }

  /** An access within one page that read `value`. */
  tellRead(
    low: number,
    high: number,
    physical: PhysicalAddress,
    size: number,
    value: bigint,
  ): void {
    if (!this.covers(low, high)) return;
    this.#tell(low, high, { physical, size, write: false, before: value, after: value });
  }

  /** A write of `value` within one page, carried out by `store`. */
  aroundWrite(
    low: number,
    high: number,
    physical: PhysicalAddress,
    size: number,
    value: bigint,
    store: () => void,
  ): void {
    if (!this.covers(low, high)) {
      store();
      return;
    }
    const before = this.valueAt(physical, size);
    store();
    // A device says nothing of what it held: reading it could change it.
    const after = this.#memory.pointer(physical) < 0 ? value : this.valueAt(physical, size);
    this.#tell(low, high, { physical, size, write: true, before, after });
  }

  /** Bytes of one page as a number, without side effects; 0 outside RAM. */
  valueAt(physical: PhysicalAddress, size: number): bigint {
    return littleEndian(this.#memory.peek(physical, size));
  }

  /** Bytes of linear memory as a number. */
  valueOf(pointer: number, size: number): bigint {
    return littleEndian(new Uint8Array(this.#memory.memory.buffer, pointer, size));
  }

  #tell(low: number, high: number, access: Omit<LinearAccess, "linear" | "guest">): void {
    this.onAccess({ linear: join32(low, high), guest: this.#state.guestMode !== 0, ...access });
  }
}
