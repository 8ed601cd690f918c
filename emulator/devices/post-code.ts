/** Port 0x80: the last power-on self-test code; kernels write it as a short delay. */

import type { Device, DeviceState } from "./device.ts";

export class PostCode implements Device {
  readonly name = "post-code";
  private code = 0;

  reset(): void {
    this.code = 0;
  }

  save(): DeviceState {
    return { code: this.code };
  }

  restore(state: DeviceState): void {
    this.code = state.code as number;
  }

  /** Nothing drives the bus on a read. */
  readPort(_port: number, size: 1 | 2 | 4): number {
    return 2 ** (8 * size) - 1;
  }

  writePort(_port: number, _size: 1 | 2 | 4, value: number): void {
    this.code = value & 0xff;
  }

  describe() {
    return { code: this.code };
  }
}
