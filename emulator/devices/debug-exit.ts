/** The debug-exit port 0xF4: writing v stops the machine. */

import type { Device, DeviceState } from "./device.ts";

export class DebugExit implements Device {
  readonly name = "debug-exit";
  private readonly exit: (value: number) => void;

  constructor(exit: (value: number) => void) {
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
    this.exit(value);
  }
}
