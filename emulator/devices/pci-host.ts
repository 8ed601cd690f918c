/** PCI configuration mechanism 1 at 0xCF8/0xCFC over a bus with nothing but its i440FX host bridge. */

import { copyState } from "./copy-state.ts";
import type { Device, DeviceState } from "./device.ts";

const ENABLE = 0x8000_0000;

/** Writable bytes of the bridge's configuration space: command 4, PAM 0x59-0x5f, SMRAM 0x72. */
const isWritable = (at: number) => at === 4 || (at >= 0x59 && at <= 0x5f) || at === 0x72;

function hostBridge(): Uint8Array {
  const space = new Uint8Array(256);
  const view = new DataView(space.buffer);
  view.setUint16(0x00, 0x8086, true);
  view.setUint16(0x02, 0x1237, true);
  // Command: memory and bus master. Status: medium DEVSEL timing.
  view.setUint16(0x04, 0x0006, true);
  view.setUint16(0x06, 0x0280, true);
  // Revision 2, class 06 00 00: host bridge.
  view.setUint32(0x08, 0x0600_0002, true);
  // Shadow RAM in all of the BIOS area, as firmware leaves it.
  space.fill(0x33, 0x5a, 0x60);
  space[0x59] = 0x30;
  space[0x72] = 0x02;
  return space;
}

const powerOn = () => ({ address: 0, bridge: hostBridge() });

export class PciHost implements Device {
  readonly name = "pci-host";
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

  /** Only a four-byte access reaches the address register; narrower ones find nothing there. */
  readPort(port: number, size: 1 | 2 | 4): number {
    if (port < 0xcfc)
      return port === 0xcf8 && size === 4 ? this.state.address : 2 ** (8 * size) - 1;
    const at = this.selected(port);
    if (at < 0) return 2 ** (8 * size) - 1;
    let value = 0;
    for (let byte = size - 1; byte >= 0; byte--) {
      value = value * 256 + (this.state.bridge[at + byte] ?? 0xff);
    }
    return value;
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    if (port < 0xcfc) {
      if (port === 0xcf8 && size === 4) this.state.address = (value & 0x80ff_fffc) >>> 0;
      return;
    }
    const at = this.selected(port);
    if (at < 0) return;
    for (let byte = 0; byte < size; byte++) {
      if (isWritable(at + byte)) this.state.bridge[at + byte] = (value >>> (8 * byte)) & 0xff;
    }
  }

  describe() {
    const { address, bridge } = this.state;
    const view = new DataView(bridge.buffer, bridge.byteOffset);
    const bus = (address >> 16) & 0xff;
    const place = `${bus}:${(address >> 11) & 31}.${(address >> 8) & 7} offset ${address & 0xfc}`;
    return {
      address: { value: address, words: address < ENABLE ? "disabled" : place },
      vendor: view.getUint16(0, true),
      device: view.getUint16(2, true),
      command: view.getUint16(4, true),
      status: view.getUint16(6, true),
    };
  }

  /** Offset in the bridge's configuration space, or -1: bus 23:16, device 15:11, function 10:8. */
  private selected(port: number): number {
    const { address } = this.state;
    if (address < ENABLE || (address & 0x00ff_ff00) !== 0) return -1;
    return (address & 0xfc) + (port & 3);
  }
}
