/** The debug-exit port 0xF4: writing v stops the machine with exit status (2 * v + 1) & 0xff. */

import type { Device, DeviceState } from "./device.ts";

export class DebugExit implements Device {
  readonly name = "debug-exit";
  private readonly exit: (status: number) => void;

  constructor(exit: (status: number) => void) {
    this.exit = exit;
  }

  reset(): void {}

  save(): DeviceState {
    return {};
  }

  restore(): void {}

  readPort(): number {
    return 0;
  }

  writePort(_port: number, _size: 1 | 2 | 4, value: number): void {
    this.exit(((value << 1) | 1) & 0xff);
  }
}
