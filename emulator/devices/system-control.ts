/** System control port A, 0x92: fast A20 in bit 1, a pulse on the reset line in bit 0. */

import type { Device, DeviceState, Line } from "./device.ts";

export class SystemControl implements Device {
  readonly name = "system-control";
  private readonly a20: Line;
  private readonly resetLine: Line;
  private value = 0;

  constructor(a20: Line, resetLine: Line) {
    this.a20 = a20;
    this.resetLine = resetLine;
  }

  /** Firmware has opened A20 long before any image that we load runs. */
  reset(): void {
    this.value = 2;
    this.a20(true);
  }

  save(): DeviceState {
    return { value: this.value };
  }

  restore(state: DeviceState): void {
    this.value = state.value as number;
  }

  readPort(): number {
    return this.value;
  }

  writePort(_port: number, _size: 1 | 2 | 4, value: number): void {
    const before = this.value;
    this.value = value & 2;
    this.a20((value & 2) !== 0);
    if (value & 1 && !(before & 1)) {
      this.resetLine(true);
      this.resetLine(false);
    }
  }

  describe() {
    return { value: this.value };
  }
}
