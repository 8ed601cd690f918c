/** The registers of the 8237 pair and the page latches: storage only, no device here moves data. */

import { copyState } from "./copy-state.ts";
import type { Device, DeviceState } from "./device.ts";

const powerOn = () => ({
  /** Address and count of four channels of each chip, as 16-bit values. */
  values: new Array<number>(16).fill(0),
  /** Byte pointers: the next access to an address or count is to its high byte. */
  high: [false, false],
  masks: [0x0f, 0x0f],
  commands: [0, 0],
  pages: new Uint8Array(16),
});

export class Dma implements Device {
  readonly name = "dma";
  private state = powerOn();

  reset(): void {
    this.state = powerOn();
  }

  save(): DeviceState {
    return copyState(this.state);
  }

  restore(state: DeviceState): void {
    this.state = copyState(state) as typeof this.state;
  }

  readPort(port: number): number {
    if (port >= 0x80 && port < 0x90) return this.state.pages[port & 15]!;
    const { chip, register } = decode(port);
    if (register === 15) return 0xf0 | this.state.masks[chip]!;
    if (register >= 8) return 0;
    const value = this.state.values[chip * 8 + register]!;
    return this.takePointer(chip) ? value >> 8 : value & 0xff;
  }

  writePort(port: number, _size: 1 | 2 | 4, wide: number): void {
    const s = this.state;
    const value = wide & 0xff;
    if (port >= 0x80 && port < 0x90) {
      s.pages[port & 15] = value;
      return;
    }
    const { chip, register } = decode(port);
    if (register < 8) {
      const index = chip * 8 + register;
      const before = s.values[index]!;
      const high = this.takePointer(chip);
      s.values[index] = high ? (before & 0xff) | (value << 8) : (before & 0xff00) | value;
      return;
    }
    const bit = 1 << (value & 3);
    if (register === 8) s.commands[chip] = value;
    else if (register === 10) {
      s.masks[chip] = value & 4 ? s.masks[chip]! | bit : s.masks[chip]! & ~bit;
    } else if (register === 12) s.high[chip] = false;
    else if (register === 13) this.masterClear(chip);
    else if (register === 14) s.masks[chip] = 0;
    else if (register === 15) s.masks[chip] = value & 15;
  }

  private takePointer(chip: number): boolean {
    const high = this.state.high[chip]!;
    this.state.high[chip] = !high;
    return high;
  }

  private masterClear(chip: number): void {
    this.state.high[chip] = false;
    this.state.masks[chip] = 0x0f;
    this.state.commands[chip] = 0;
  }
}

/** The second chip sits at 0xC0 with its registers two ports apart. */
function decode(port: number): { chip: number; register: number } {
  if (port >= 0xc0) return { chip: 1, register: (port - 0xc0) >> 1 };
  return { chip: 0, register: port };
}
