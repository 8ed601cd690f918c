/** The debug console at port 0xE9: a written byte is shown, a read gives 0xE9 to say it is there. */

import type { Device, DeviceState } from "./device.ts";

export class DebugConsole implements Device {
  readonly name = "debug-console";
  private readonly output: (byte: number) => void;

  constructor(output: (byte: number) => void) {
    this.output = output;
  }

  reset(): void {}

  save(): DeviceState {
    return {};
  }

  restore(): void {}

  readPort(): number {
    return 0xe9;
  }

  writePort(_port: number, size: 1 | 2 | 4, value: number): void {
    for (let byte = 0; byte < size; byte++) this.output((value >>> (8 * byte)) & 0xff);
  }
}
