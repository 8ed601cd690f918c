/** The PC around the CPU: builds every chip, wires its lines, and keeps the queue of alarms. */

import { AcpiPm, PM1_EVENT, SMI_COMMAND } from "./devices/acpi-pm.ts";
import { AlarmQueue } from "./devices/alarm-queue.ts";
import { DebugConsole } from "./devices/debug-console.ts";
import { DebugExit } from "./devices/debug-exit.ts";
import type { Device, DeviceState, Line } from "./devices/device.ts";
import { Dma } from "./devices/dma.ts";
import { InterruptController } from "./devices/interrupt-controller.ts";
import { IO_APIC_BASE } from "./devices/io-apic.ts";
import { KeyboardController } from "./devices/keyboard-controller.ts";
import { LOCAL_APIC_BASE } from "./devices/local-apic-registers.ts";
import { PciHost } from "./devices/pci-host.ts";
import { Pit } from "./devices/pit.ts";
import { PostCode } from "./devices/post-code.ts";
import { ResetControl } from "./devices/reset-control.ts";
import { Rtc } from "./devices/rtc.ts";
import { SystemControl } from "./devices/system-control.ts";
import { Uart } from "./devices/uart.ts";
import type { PhysicalMemory, PortSpace } from "./vcpu.ts";

/** 2026-01-01T00:00:00Z. */
const DEFAULT_START_TIME = 1_767_225_600;

export type ConsoleSource = "com1" | "com2" | "debug";

export type PlatformStop =
  | { readonly kind: "powerOff" }
  | { readonly kind: "reset" }
  /** The value written to the debug-exit port. */
  | { readonly kind: "debugExit"; readonly value: number };

/** What the platform tells the machine. */
export interface PlatformEvents {
  /** A byte left a serial port or the debug console. */
  console(source: ConsoleSource, byte: number): void;
  /** The guest ended itself: the machine is to stop after this instruction, before any reset. */
  stop(stop: PlatformStop): void;
  /** `interrupts.pending()` may have changed. */
  interruptsChanged(): void;
  /** `nextAlarm()` changed: a budget worked out from it is stale. */
  alarmsChanged?(): void;
  /** A local APIC entry or message of delivery mode NMI. */
  nonMaskableInterrupt?(): void;
}

export interface PlatformOptions {
  readonly ramBytes: number;
  /** Virtual time in ticks; must not go back except by restore. */
  readonly now: () => number;
  readonly events: PlatformEvents;
  /** Unix seconds that the clock chip shows at tick 0. */
  readonly startTime?: number;
}

/** Ports of each device: first and count. A port belongs to one device, whatever the size. */
type PortRanges = readonly (readonly [first: number, count: number])[];

export class Platform {
  readonly interrupts: InterruptController;
  readonly serial: readonly [Uart, Uart];
  readonly keyboard: KeyboardController;
  readonly power: AcpiPm;
  /** Every chip in the fixed order that ranks alarms of the same tick. */
  readonly devices: readonly Device[];
  private readonly pit: Pit;
  private readonly alarms: AlarmQueue;
  private readonly events: PlatformEvents;
  private readonly ports = new Map<Device, PortRanges>();

  constructor(options: PlatformOptions) {
    const { events, now } = options;
    this.events = events;
    this.alarms = new AlarmQueue(now, () => events.alarmsChanged?.());
    this.interrupts = new InterruptController(this.alarms.clockFor("local-apic"), {
      changed: () => events.interruptsChanged(),
      nonMaskable: () => events.nonMaskableInterrupt?.(),
    });
    this.pit = new Pit(this.alarms.clockFor("pit"), this.interrupts.isaLine(0));
    const { interrupts } = this;
    const rtc = new Rtc(
      this.alarms.clockFor("rtc"),
      interrupts.isaLine(8),
      options.ramBytes,
      options.startTime ?? DEFAULT_START_TIME,
    );
    this.serial = [this.makeUart("com1", 4), this.makeUart("com2", 3)];
    this.power = new AcpiPm(this.alarms.clockFor("acpi-pm"), {
      sci: interrupts.isaLine(9),
      powerOff: () => events.stop({ kind: "powerOff" }),
    });
    const reset = (high: boolean) => {
      if (high) events.stop({ kind: "reset" });
    };
    // A20 is always open: no system that runs here depends on the wrap at 1 MiB.
    const a20 = () => {};
    this.keyboard = new KeyboardController({
      keyboardIrq: interrupts.isaLine(1),
      mouseIrq: interrupts.isaLine(12),
      a20,
      reset,
    });
    this.assignPorts(rtc, a20, reset);
    this.devices = [interrupts.localApic, interrupts.ioApic, ...this.ports.keys()];
    for (const device of this.devices) this.alarms.attach(device);
    this.reset();
  }

  /** Connects every chip to the CPU's buses. */
  attach(ports: PortSpace, physical: PhysicalMemory): void {
    for (const [device, ranges] of this.ports) {
      for (const [first, count] of ranges) ports.attach(device, first, count);
    }
    physical.attachMmio(this.interrupts.localApic, LOCAL_APIC_BASE, 0x1000);
    physical.attachMmio(this.interrupts.ioApic, IO_APIC_BASE, 0x1000);
  }

  /** Power-on state of every chip. */
  reset(): void {
    this.alarms.clear();
    for (const device of this.devices) device.reset();
  }

  /**
   * Leaves the chips as a PC's firmware hands them to a boot loader: PIC at vectors 8 and 0x70 with
   * all lines masked, the system timer running at 18.2 Hz, the 8042 tested and translating to scan
   * code set 1, the local APIC on with LINT0 as ExtINT and LINT1 as NMI. For images loaded without
   * running firmware.
   */
  setUpAsFirmware(): void {
    const { pic, localApic } = this.interrupts;
    for (const [base, vectors, cascade] of [
      [0x20, 0x08, 0x04],
      [0xa0, 0x70, 0x02],
    ] as const) {
      pic.writePort(base, 1, 0x11);
      for (const word of [vectors, cascade, 0x01, 0xff]) pic.writePort(base + 1, 1, word);
    }
    this.pit.writePort(0x43, 1, 0x34);
    for (let byte = 0; byte < 2; byte++) this.pit.writePort(0x40, 1, 0);
    this.keyboard.writePort(0x64, 1, 0xaa);
    this.keyboard.readPort(0x60);
    this.keyboard.writePort(0x64, 1, 0x60);
    this.keyboard.writePort(0x60, 1, 0x61);
    localApic.writeMmio(LOCAL_APIC_BASE + 0xf0, 4, 0x1ffn);
    localApic.writeMmio(LOCAL_APIC_BASE + 0x350, 4, 0x8700n);
    localApic.writeMmio(LOCAL_APIC_BASE + 0x360, 4, 0x8400n);
  }

  /** Bytes typed at the other end of a serial port. */
  serialInput(port: 0 | 1, bytes: Iterable<number>): void {
    this.serial[port].receive(bytes);
  }

  /** Tick of the earliest alarm, or Infinity. */
  nextAlarm(): number {
    return this.alarms.next();
  }

  /** Sets off every alarm due at this tick. */
  runAlarms(now: number): void {
    this.alarms.run(now);
  }

  /** All state of all chips and the alarms, by name. */
  save(): DeviceState {
    const state: { [name: string]: DeviceState } = { alarms: this.alarms.save() };
    for (const device of this.devices) state[device.name] = device.save();
    return state;
  }

  restore(state: DeviceState): void {
    for (const device of this.devices) device.restore(state[device.name] as DeviceState);
    this.alarms.restore(state.alarms as DeviceState);
    this.events.interruptsChanged();
  }

  /** The ports of every chip; those with no other tie to the platform are made here. */
  private assignPorts(rtc: Rtc, a20: Line, reset: Line): void {
    this.addPorts(this.interrupts.pic, [0x20, 2], [0xa0, 2], [0x4d0, 2]);
    this.addPorts(this.pit, [0x40, 4], [0x61, 1]);
    this.addPorts(rtc, [0x70, 2]);
    this.addPorts(this.serial[0], [0x3f8, 8]);
    this.addPorts(this.serial[1], [0x2f8, 8]);
    this.addPorts(this.power, [PM1_EVENT, 12], [SMI_COMMAND, 2]);
    this.addPorts(this.keyboard, [0x60, 1], [0x64, 1]);
    this.addPorts(new SystemControl(a20, reset), [0x92, 1]);
    this.addPorts(new ResetControl(reset), [0xcf9, 1]);
    this.addPorts(new PciHost(), [0xcf8, 1], [0xcfa, 2], [0xcfc, 4]);
    this.addPorts(new Dma(), [0x00, 16], [0x81, 15], [0xc0, 32]);
    this.addPorts(new DebugConsole((byte) => this.events.console("debug", byte)), [0xe9, 1]);
    this.addPorts(
      new DebugExit((value) => this.events.stop({ kind: "debugExit", value })),
      [0xf4, 1],
    );
    this.addPorts(new PostCode(), [0x80, 1]);
  }

  private makeUart(name: "com1" | "com2", irq: number): Uart {
    const output = (byte: number) => this.events.console(name, byte);
    return new Uart(name, this.alarms.clockFor(name), this.interrupts.isaLine(irq), output);
  }

  private addPorts(device: Device, ...ranges: PortRanges): void {
    this.ports.set(device, ranges);
  }
}
