/** The part of a firmware ROM that is not shadowed in RAM: read through its address below 4 GiB. */

import type { Device } from "./devices/device.ts";

export class Rom implements Device {
  readonly name = "rom";

  /** `bytes` are at physical address `first`. */
  constructor(first: number, bytes: Uint8Array) {
    this.first = first;
    this.bytes = bytes;
  }
  private readonly first: number;
  private readonly bytes: Uint8Array;

  reset(): void {}
  save(): Record<string, never> {
    return {};
  }
  restore(): void {}

  readMmio(address: number, size: 1 | 2 | 4 | 8): bigint {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) {
      value = (value << 8n) | BigInt(this.bytes[address - this.first + i] ?? 0xff);
    }
    return value;
  }

  peekMmio(address: number): bigint {
    return this.readMmio(address, 4);
  }
}
