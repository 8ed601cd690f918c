/** ACPI fixed hardware: PM1a event and control blocks, the PM timer, the SMI command port (ACPI 4.8). */

import { copyState } from "./copy-state.ts";
import type { Device, DeviceClock, DeviceState, Line } from "./device.ts";
import { cyclesIn, ticksFor } from "./virtual-time.ts";

export const PM1_EVENT = 0x600;
export const PM1_CONTROL = 0x604;
export const PM_TIMER = 0x608;
export const SMI_COMMAND = 0xb2;
/** Values for the SMI command port that the FADT names. */
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;
/** SLP_TYP of S5, in the DSDT's \_S5 package too. */
export const SLEEP_TYPE_S5 = 0;

const PM_HERTZ = 3_579_545;
const TIMER_BITS = 24;
const HALF_RANGE = 2 ** (TIMER_BITS - 1);
/** PM1 status and enable. */
const Event = { timer: 1, powerButton: 0x100, all: 0x0721 } as const;
const SCI_ENABLE = 1;
const SLEEP_ENABLE = 0x2000;

const powerOn = () => ({
  status: 0,
  enable: 0,
  control: 0,
  command: 0,
  /** SMI status port, 0xB3: scratch. */
  scratch: 0,
  /** Cycle up to which changes of the timer's top bit are in the status. */
  settledAt: 0,
});

export interface AcpiPmLines {
  /** The SCI: active high, level. */
  readonly sci: Line;
  readonly powerOff: () => void;
}

export class AcpiPm implements Device {
  readonly name = "acpi-pm";
  private readonly clock: DeviceClock;
  private readonly lines: AcpiPmLines;
  private state = powerOn();

  constructor(clock: DeviceClock, lines: AcpiPmLines) {
    this.clock = clock;
    this.lines = lines;
  }

  reset(): void {
    this.state = { ...powerOn(), settledAt: this.cycle };
    this.update();
  }

  save(): DeviceState {
    return copyState(this.state);
  }

  restore(state: DeviceState): void {
    this.state = copyState(state) as typeof this.state;
  }

  onAlarm(): void {
    this.update();
  }

  pressPowerButton(): void {
    this.state.status |= Event.powerButton;
    this.update();
  }

  readPort(port: number, size: 1 | 2 | 4): number {
    const shift = 8 * (port & 3);
    const mask = 2 ** (8 * size) - 1;
    if (port === SMI_COMMAND) return this.state.command;
    if (port === SMI_COMMAND + 1) return this.state.scratch;
    if (port >= PM_TIMER) return ((this.cycle % 2 ** TIMER_BITS) >>> shift) & mask;
    if (port >= PM1_CONTROL) return (this.state.control >>> shift) & mask;
    this.settle();
    return ((this.state.status | (this.state.enable << 16)) >>> shift) & mask;
  }

  writePort(port: number, size: 1 | 2 | 4, value: number): void {
    if (port === SMI_COMMAND) this.writeCommand(value & 0xff);
    else if (port === SMI_COMMAND + 1) this.state.scratch = value & 0xff;
    else {
      for (let byte = 0; byte < size; byte++) {
        this.writeByte(port + byte, (value >>> (8 * byte)) & 0xff);
      }
    }
    this.update();
  }

  describe() {
    const { status, enable, control } = this.state;
    return { status, enable, control, timer: this.cycle % 2 ** TIMER_BITS };
  }

  private get cycle(): number {
    return cyclesIn(this.clock.now(), PM_HERTZ);
  }

  private writeByte(port: number, value: number): void {
    const s = this.state;
    const shift = 8 * (port & 1);
    const bits = value << shift;
    const kept = 0xff00 >>> shift;
    switch (port & ~1) {
      case PM1_EVENT:
        this.settle();
        s.status &= ~bits;
        break;
      case PM1_EVENT + 2:
        s.enable = ((s.enable & kept) | bits) & Event.all;
        break;
      case PM1_CONTROL:
        s.control = ((s.control & kept) | bits) & ~SLEEP_ENABLE;
        if (bits & SLEEP_ENABLE && ((bits >> 10) & 7) === SLEEP_TYPE_S5) this.lines.powerOff();
        break;
      default:
        break;
    }
  }

  /** Firmware's part of the hand-over: SCI_EN follows the two commands. */
  private writeCommand(value: number): void {
    this.state.command = value;
    if (value === ACPI_ENABLE) this.state.control |= SCI_ENABLE;
    if (value === ACPI_DISABLE) this.state.control &= ~SCI_ENABLE;
  }

  /** TMR_STS is set whenever the top bit of the timer changes. */
  private settle(): void {
    const s = this.state;
    const now = this.cycle;
    if (Math.floor(now / HALF_RANGE) !== Math.floor(s.settledAt / HALF_RANGE)) {
      s.status |= Event.timer;
    }
    s.settledAt = now;
  }

  private update(): void {
    this.settle();
    const s = this.state;
    this.lines.sci((s.control & SCI_ENABLE) !== 0 && (s.status & s.enable) !== 0);
    if (s.enable & Event.timer && !(s.status & Event.timer)) {
      const next = (Math.floor(this.cycle / HALF_RANGE) + 1) * HALF_RANGE;
      this.clock.setAlarm("timer", ticksFor(next, PM_HERTZ));
    } else this.clock.clearAlarm("timer");
  }
}
