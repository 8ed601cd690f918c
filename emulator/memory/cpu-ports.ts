/** The I/O ports as one CPU's instructions reach them: each access is told. */

import type { Device } from "../devices/device.ts";
import type { PortSpace } from "../vcpu.ts";

export interface PortAccess {
  readonly port: number;
  readonly size: 1 | 2 | 4;
  readonly write: boolean;
  readonly value: number;
}

export class CpuPorts implements PortSpace {
  private readonly ports: PortSpace;
  private readonly tell: (access: PortAccess) => void;

  /** `tell` is called after each access. */
  constructor(ports: PortSpace, tell: (access: PortAccess) => void) {
    this.ports = ports;
    this.tell = tell;
  }

  read(port: number, size: 1 | 2 | 4): number {
    const value = this.ports.read(port, size);
    this.tell({ port, size, write: false, value });
    return value;
  }

  write(port: number, size: 1 | 2 | 4, value: number): void {
    this.ports.write(port, size, value);
    this.tell({ port, size, write: true, value });
  }

  attach(device: Device, first: number, count: number): void {
    this.ports.attach(device, first, count);
  }
}
