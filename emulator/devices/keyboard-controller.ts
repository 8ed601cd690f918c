/** The 8042 keyboard controller at ports 0x60 and 0x64, with a keyboard and a mouse attached. */

import { copyState } from "./copy-state.ts";
import type { Device, DeviceState, Line } from "./device.ts";
import { keyboardCommand, keyboardPowerOn, mouseCommand, mousePowerOn } from "./ps2-devices.ts";

/** Status: output full 0, self test passed 2, command 3, unlocked 4, output from the mouse 5. */
const Status = { full: 1, tested: 4, base: 0x18, mouse: 0x20 } as const;
/** Configuration byte. */
const Config = {
  keyboardIrq: 1,
  mouseIrq: 2,
  keyboardOff: 0x10,
  mouseOff: 0x20,
  translate: 0x40,
} as const;
/** Output port: reset (active low) 0, A20 1, mouse buffer full 4, keyboard buffer full 5. */
const OUTPUT_A20 = 2;
const OUTPUT_RESET = 1;
const QUEUE_LIMIT = 256;

const powerOn = () => ({
  config: Config.keyboardIrq | Config.mouseIrq,
  tested: false,
  outputPort: 0xcf,
  /** Controller command that waits for its data byte. */
  commandFor: 0,
  /** The output buffer, or -1; and whether the mouse's. */
  output: -1,
  outputFromMouse: false,
  lastOutput: 0,
  /** Replies of the controller itself; bit 8 marks those that look like the mouse's. */
  replies: [] as number[],
  fromKeyboard: [] as number[],
  fromMouse: [] as number[],
  keyboard: keyboardPowerOn(),
  mouse: mousePowerOn(),
});

export interface KeyboardControllerLines {
  readonly keyboardIrq: Line;
  readonly mouseIrq: Line;
  readonly a20: Line;
  readonly reset: Line;
}

export class KeyboardController implements Device {
  readonly name = "keyboard-controller";
  private readonly lines: KeyboardControllerLines;
  private state = powerOn();

  constructor(lines: KeyboardControllerLines) {
    this.lines = lines;
  }

  reset(): void {
    this.state = powerOn();
    this.update();
  }

  save(): DeviceState {
    return copyState(this.state);
  }

  restore(state: DeviceState): void {
    this.state = copyState(state) as typeof this.state;
  }

  /** Keys pressed and released, as set 1 codes. Dropped when scanning is off or the buffer is full. */
  receiveKeys(codes: Iterable<number>): void {
    const s = this.state;
    for (const code of codes) {
      if (s.keyboard.scanning && s.fromKeyboard.length < QUEUE_LIMIT) s.fromKeyboard.push(code);
    }
    this.update();
  }

  readPort(port: number): number {
    if (port === 0x64) return this.status();
    const s = this.state;
    if (s.output >= 0) s.lastOutput = s.output;
    s.output = -1;
    this.driveIrqs();
    this.update();
    return s.lastOutput;
  }

  writePort(port: number, _size: 1 | 2 | 4, wide: number): void {
    const value = wide & 0xff;
    if (port === 0x64) this.command(value);
    else this.data(value);
    this.update();
  }

  describe() {
    const { config, outputPort, output } = this.state;
    return { status: this.status(), config, outputPort, output: output < 0 ? "empty" : output };
  }

  private status(): number {
    const s = this.state;
    const full = s.output >= 0 ? Status.full | (s.outputFromMouse ? Status.mouse : 0) : 0;
    return Status.base | full | (s.tested ? Status.tested : 0);
  }

  private command(value: number): void {
    const s = this.state;
    s.commandFor = 0;
    switch (value) {
      case 0x20:
        s.replies.push(s.config);
        break;
      case 0x60:
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        s.commandFor = value;
        break;
      case 0xa7:
      case 0xa8:
        s.config = value === 0xa7 ? s.config | Config.mouseOff : s.config & ~Config.mouseOff;
        break;
      case 0xa9:
      case 0xab:
        s.replies.push(0);
        break;
      case 0xaa:
        s.tested = true;
        s.replies.push(0x55);
        break;
      case 0xad:
      case 0xae:
        s.config = value === 0xad ? s.config | Config.keyboardOff : s.config & ~Config.keyboardOff;
        break;
      case 0xc0:
        s.replies.push(0x80);
        break;
      case 0xd0:
        s.replies.push(this.outputPort());
        break;
      case 0xdd:
      case 0xdf:
        this.setA20(value === 0xdf);
        break;
      default:
        // F0-FF pulse the output port's low lines that are 0 in the command; line 0 is reset.
        if (value >= 0xf0 && !(value & 1)) this.pulseReset();
    }
  }

  private data(value: number): void {
    const s = this.state;
    const command = s.commandFor;
    s.commandFor = 0;
    switch (command) {
      case 0x60:
        s.config = value;
        break;
      case 0xd1:
        s.outputPort = value;
        this.lines.a20((value & OUTPUT_A20) !== 0);
        if (!(value & OUTPUT_RESET)) this.pulseReset();
        break;
      case 0xd2:
        s.replies.push(value);
        break;
      case 0xd3:
        s.replies.push(value | 0x100);
        break;
      case 0xd4:
        s.config &= ~Config.mouseOff;
        s.fromMouse.push(...mouseCommand(s.mouse, value));
        break;
      default: {
        const translated = (s.config & Config.translate) !== 0;
        s.config &= ~Config.keyboardOff;
        s.fromKeyboard.push(...keyboardCommand(s.keyboard, value, translated));
      }
    }
  }

  private outputPort(): number {
    const s = this.state;
    const full = s.output < 0 ? 0 : s.outputFromMouse ? 0x20 : 0x10;
    return (s.outputPort & 0xcf) | full;
  }

  private setA20(open: boolean): void {
    this.state.outputPort = (this.state.outputPort & ~OUTPUT_A20) | (open ? OUTPUT_A20 : 0);
    this.lines.a20(open);
  }

  private pulseReset(): void {
    this.lines.reset(true);
    this.lines.reset(false);
  }

  /** Moves the next byte into the output buffer: the controller's, the keyboard's, the mouse's. */
  private update(): void {
    const s = this.state;
    if (s.output < 0) {
      if (s.replies.length > 0) this.present(s.replies.shift()!);
      else if (!(s.config & Config.keyboardOff) && s.fromKeyboard.length > 0) {
        this.present(s.fromKeyboard.shift()!);
      } else if (!(s.config & Config.mouseOff) && s.fromMouse.length > 0) {
        this.present(s.fromMouse.shift()! | 0x100);
      }
    }
    this.driveIrqs();
  }

  private present(byte: number): void {
    this.state.output = byte & 0xff;
    this.state.outputFromMouse = byte >= 0x100;
  }

  private driveIrqs(): void {
    const { output, outputFromMouse, config } = this.state;
    const full = output >= 0;
    this.lines.keyboardIrq(full && !outputFromMouse && (config & Config.keyboardIrq) !== 0);
    this.lines.mouseIrq(full && outputFromMouse && (config & Config.mouseIrq) !== 0);
  }
}
