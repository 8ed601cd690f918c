/** A 16550A serial port (National Semiconductor PC16550D data sheet); transmission takes no time. */

import { copyState } from "./copy-state.ts";
import type { Device, DeviceClock, DeviceState, Line } from "./device.ts";
import { TICKS_PER_SECOND } from "./virtual-time.ts";

const FIFO_SIZE = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
/** Base clock divided by 16. */
const BAUD_BASE = 115_200;

const Ier = { receive: 1, transmit: 2, lineStatus: 4, modemStatus: 8 } as const;
const Iir = { none: 1, modem: 0, transmit: 2, receive: 4, lineStatus: 6, timeout: 12 } as const;
const Fcr = { enable: 1, clearReceive: 2, clearTransmit: 4 } as const;
const Lsr = { dataReady: 1, overrun: 2, errors: 0x1e, transmitterIdle: 0x60 } as const;
const LCR_DIVISOR = 0x80;
const MCR_OUT2 = 8;
const MCR_LOOP = 0x10;
/** Carrier, data set ready, clear to send: a cable with someone at the other end. */
const CONNECTED = 0xb0;

const powerOn = () => ({
  ier: 0,
  fcr: 0,
  lcr: 0,
  /** OUT2 is on, as firmware leaves it; it does not gate the interrupt here. */
  mcr: MCR_OUT2,
  scratch: 0,
  divisor: 12,
  /** Error bits of LSR; the rest follows from the FIFO. */
  errors: 0,
  modemDelta: 0,
  received: [] as number[],
  /** What RBR holds without FIFOs, read or not. */
  lastReceived: 0,
  transmitPending: false,
  timeoutPending: false,
  /** Bytes from outside that wait for room in the FIFO: nothing is ever lost to an overrun. */
  input: [] as number[],
});

export class Uart implements Device {
  readonly name: string;
  private readonly clock: DeviceClock;
  private readonly irq: Line;
  private readonly output: (byte: number) => void;
  private state = powerOn();

  constructor(name: string, clock: DeviceClock, irq: Line, output: (byte: number) => void) {
    this.name = name;
    this.clock = clock;
    this.irq = irq;
    this.output = output;
  }

  reset(): void {
    this.state = { ...powerOn(), input: this.state.input };
    this.clock.clearAlarm("timeout");
    this.update();
  }

  save(): DeviceState {
    return copyState(this.state);
  }

  restore(state: DeviceState): void {
    this.state = copyState(state) as typeof this.state;
  }

  /** Bytes from the other end of the cable. */
  receive(bytes: Iterable<number>): void {
    for (const byte of bytes) this.state.input.push(byte & 0xff);
    this.refill();
    this.update();
  }

  onAlarm(): void {
    if (this.state.received.length === 0) return;
    this.state.timeoutPending = true;
    this.update();
  }

  readPort(port: number): number {
    const s = this.state;
    const divisorLatch = (s.lcr & LCR_DIVISOR) !== 0;
    switch (port & 7) {
      case 0:
        return divisorLatch ? s.divisor & 0xff : this.readReceived();
      case 1:
        return divisorLatch ? s.divisor >> 8 : s.ier;
      case 2:
        return this.readInterruptId();
      case 3:
        return s.lcr;
      case 4:
        return s.mcr;
      case 5:
        return this.readLineStatus();
      case 6:
        return this.readModemStatus();
      default:
        return s.scratch;
    }
  }

  writePort(port: number, _size: 1 | 2 | 4, wide: number): void {
    const s = this.state;
    const value = wide & 0xff;
    const divisorLatch = (s.lcr & LCR_DIVISOR) !== 0;
    switch (port & 7) {
      case 0:
        if (divisorLatch) s.divisor = (s.divisor & 0xff00) | value;
        else this.transmit(value);
        break;
      case 1:
        if (divisorLatch) s.divisor = (s.divisor & 0xff) | (value << 8);
        else this.writeInterruptEnable(value);
        break;
      case 2:
        this.writeFifoControl(value);
        break;
      case 3:
        s.lcr = value;
        break;
      case 4:
        this.writeModemControl(value);
        break;
      case 7:
        s.scratch = value;
        break;
      default:
        break;
    }
    this.update();
  }

  describe() {
    const { ier, fcr, lcr, mcr, scratch, divisor, received, input } = this.state;
    const format = `${5 + (lcr & 3)}${"NONENMNS"[(lcr >> 3) & 7]}${lcr & 4 ? 2 : 1}`;
    return {
      ier,
      iir: this.interruptId(),
      fcr: { value: fcr, words: fcr & Fcr.enable ? "FIFOs on" : "FIFOs off" },
      lcr: { value: lcr, words: lcr & LCR_DIVISOR ? `${format}, divisor latch` : format },
      mcr,
      lsr: this.lineStatus(),
      msr: this.modemLines(),
      scratch,
      divisor: { value: divisor, words: `${divisor === 0 ? "no" : BAUD_BASE / divisor} baud` },
      waiting: received.length + input.length,
    };
  }

  private get fifo(): boolean {
    return (this.state.fcr & Fcr.enable) !== 0;
  }

  private transmit(byte: number): void {
    if (this.state.mcr & MCR_LOOP) this.accept(byte);
    else this.output(byte);
    this.state.transmitPending = true;
  }

  /** A byte arrives in the receiver's shift register. */
  private accept(byte: number): void {
    const s = this.state;
    if (s.received.length >= (this.fifo ? FIFO_SIZE : 1)) {
      s.errors |= Lsr.overrun;
      if (this.fifo) return;
      s.received.length = 0;
    }
    s.received.push(byte);
    if (!this.fifo) s.lastReceived = byte;
    this.startTimeout();
  }

  /** The character timeout of FIFO mode: four character times without a transfer (section 8.4). */
  private startTimeout(): void {
    if (!this.fifo) return;
    const { lcr, divisor } = this.state;
    const bits = 1 + 5 + (lcr & 3) + (lcr & 8 ? 1 : 0) + (lcr & 4 ? 2 : 1);
    const character = Math.floor((TICKS_PER_SECOND * bits * Math.max(divisor, 1)) / BAUD_BASE);
    this.clock.setAlarm("timeout", this.clock.now() + 4 * character);
  }

  private refill(): void {
    const s = this.state;
    if (s.mcr & MCR_LOOP) return;
    while (s.input.length > 0 && s.received.length < (this.fifo ? FIFO_SIZE : 1)) {
      this.accept(s.input.shift()!);
    }
  }

  private readReceived(): number {
    const s = this.state;
    const byte = s.received.shift();
    s.timeoutPending = false;
    if (s.received.length === 0) this.clock.clearAlarm("timeout");
    else this.startTimeout();
    const value = this.fifo ? (byte ?? 0) : s.lastReceived;
    this.refill();
    this.update();
    return value;
  }

  private interruptId(): number {
    const { ier, received, fcr } = this.state;
    const trigger = this.fifo ? TRIGGER_LEVELS[(fcr >> 6) as 0 | 1 | 2 | 3] : 1;
    if (ier & Ier.lineStatus && this.state.errors & Lsr.errors) return Iir.lineStatus;
    if (ier & Ier.receive && this.state.timeoutPending) return Iir.timeout;
    if (ier & Ier.receive && received.length >= trigger) return Iir.receive;
    if (ier & Ier.transmit && this.state.transmitPending) return Iir.transmit;
    if (ier & Ier.modemStatus && this.state.modemDelta) return Iir.modem;
    return Iir.none;
  }

  /** Reading the transmit interrupt acknowledges it; bits 7:6 tell that the FIFOs are on. */
  private readInterruptId(): number {
    const id = this.interruptId();
    if (id === Iir.transmit) {
      this.state.transmitPending = false;
      this.update();
    }
    return id | (this.fifo ? 0xc0 : 0);
  }

  private lineStatus(): number {
    const ready = this.state.received.length > 0 ? Lsr.dataReady : 0;
    return Lsr.transmitterIdle | ready | this.state.errors;
  }

  private readLineStatus(): number {
    const value = this.lineStatus();
    if (this.state.errors) {
      this.state.errors = 0;
      this.update();
    }
    return value;
  }

  /** Inputs of MSR 7:4: the cable, or in loopback OUT2, OUT1, DTR, RTS. */
  private modemLines(): number {
    const { mcr } = this.state;
    if (!(mcr & MCR_LOOP)) return CONNECTED;
    return ((mcr & 0x0c) << 4) | ((mcr & 2) << 3) | ((mcr & 1) << 5);
  }

  private readModemStatus(): number {
    const value = this.modemLines() | this.state.modemDelta;
    if (this.state.modemDelta) {
      this.state.modemDelta = 0;
      this.update();
    }
    return value;
  }

  /** Turning the transmit interrupt on raises it at once while THR is empty. */
  private writeInterruptEnable(value: number): void {
    const s = this.state;
    if ((s.ier ^ value) & Ier.transmit) s.transmitPending = (value & Ier.transmit) !== 0;
    s.ier = value & 0x0f;
  }

  private writeFifoControl(value: number): void {
    const s = this.state;
    const toggled = ((s.fcr ^ value) & Fcr.enable) !== 0;
    s.fcr = value & 0xc9;
    if (toggled || value & Fcr.clearReceive) {
      s.received.length = 0;
      s.timeoutPending = false;
      this.clock.clearAlarm("timeout");
      this.refill();
    }
    if (toggled || value & Fcr.clearTransmit) s.transmitPending = true;
  }

  private writeModemControl(value: number): void {
    const s = this.state;
    const before = this.modemLines();
    s.mcr = value & 0x1f;
    const after = this.modemLines();
    const changed = (before ^ after) >> 4;
    // The ring indicator counts its trailing edge only (data sheet, MSR bit 2).
    s.modemDelta |= (changed & 0x0b) | (changed & 4 && !(after & 0x40) ? 4 : 0);
    this.refill();
  }

  private update(): void {
    this.irq(this.interruptId() !== Iir.none);
  }
}
