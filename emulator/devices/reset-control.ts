/** The reset control register of the chip set at port 0xCF9 (82371SB: RST_CPU 2, SYS_RST 1). */

import type { Device, DeviceState, Line } from "./device.ts";

const RESET_CPU = 4;

export class ResetControl implements Device {
  readonly name = "reset-control";
  private readonly resetLine: Line;
  private value = 0;

  constructor(resetLine: Line) {
    this.resetLine = resetLine;
  }

  reset(): void {
    this.value = 0;
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
    this.value = value & 2;
    if (value & RESET_CPU) {
      this.resetLine(true);
      this.resetLine(false);
    }
  }

  describe() {
    return { value: this.value };
  }
}
