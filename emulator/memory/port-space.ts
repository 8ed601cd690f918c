/** I/O port space: 64 Ki ports, each owned by at most one device. */

import type { Device } from "../devices/device.ts";
import type { PortSpace } from "../vcpu.ts";

/** All ones of 1, 2 or 4 bytes. */
const ones = (size: 1 | 2 | 4): number => (size === 4 ? 0xffff_ffff : (1 << (size * 8)) - 1);

/** Accesses nobody took, counted by first port. */
export interface RefusedPort {
  reads: number;
  writes: number;
}

/**
 * A wide access goes whole to the owner of its first port, which knows how wide its registers are.
 */
export class Ports implements PortSpace {
  readonly refused = new Map<number, RefusedPort>();
  readonly #owners: (Device | undefined)[] = new Array(0x1_0000).fill(undefined);

  attach(device: Device, first: number, count: number): void {
    for (let port = first; port < first + count; port++) {
      const other = this.#owners[port];
      if (other !== undefined) {
        throw new Error(`port 0x${port.toString(16)} of ${device.name} belongs to ${other.name}`);
      }
      this.#owners[port] = device;
    }
  }

  /** The device at a port, for display. */
  owner(port: number): Device | undefined {
    return this.#owners[port & 0xffff];
  }

  read(port: number, size: 1 | 2 | 4): number {
    const device = this.#owners[port & 0xffff];
    if (device?.readPort === undefined) {
      this.#refuse(port & 0xffff).reads++;
      return ones(size);
    }
    return (device.readPort(port & 0xffff, size) & ones(size)) >>> 0;
  }

  write(port: number, size: 1 | 2 | 4, value: number): void {
    const device = this.#owners[port & 0xffff];
    if (device?.writePort === undefined) this.#refuse(port & 0xffff).writes++;
    else device.writePort(port & 0xffff, size, (value & ones(size)) >>> 0);
  }

  #refuse(port: number): RefusedPort {
    let counts = this.refused.get(port);
    if (counts === undefined) {
      counts = { reads: 0, writes: 0 };
      this.refused.set(port, counts);
    }
    return counts;
  }
}
