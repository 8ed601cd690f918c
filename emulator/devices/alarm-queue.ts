/** The alarms of all devices in one deterministic order: by tick, then device, then name. */

import type { Device, DeviceClock, DeviceState } from "./device.ts";

interface Alarm {
  readonly device: string;
  readonly name: string;
  readonly at: number;
}

/** How far the alarms of one instant may set each other off again before it is called a loop. */
const MAX_ROUNDS = 100_000;

export class AlarmQueue {
  private readonly order: string[] = [];
  private readonly devices = new Map<string, Device>();
  /** Sorted, earliest first. */
  private alarms: Alarm[] = [];
  private readonly now: () => number;
  private readonly changed: () => void;

  /** `changed` is told whenever the earliest alarm moves. */
  constructor(now: () => number, changed: () => void) {
    this.now = now;
    this.changed = changed;
  }

  /** The clock for the device of this name; devices rank in the order of these calls. */
  clockFor(device: string): DeviceClock {
    this.order.push(device);
    return {
      now: this.now,
      setAlarm: (name, at) => this.set({ device, name, at }),
      clearAlarm: (name) => this.remove(device, name),
    };
  }

  /** Names the device whose `onAlarm` is called. */
  attach(device: Device): void {
    this.devices.set(device.name, device);
  }

  /** Tick of the earliest alarm, or Infinity. */
  next(): number {
    return this.alarms[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Sets off every alarm due at `now`, including those that the callbacks set. */
  run(now: number): void {
    for (let round = 0; this.next() <= now; round++) {
      const alarm = this.alarms.shift()!;
      if (round > MAX_ROUNDS) throw new Error(`${alarm.device} sets its alarm without end`);
      this.devices.get(alarm.device)?.onAlarm?.(alarm.name);
    }
  }

  clear(): void {
    this.alarms = [];
    this.changed();
  }

  save(): DeviceState {
    return { alarms: this.alarms.map(({ device, name, at }) => ({ device, name, at })) };
  }

  restore(state: DeviceState): void {
    this.alarms = (state.alarms as unknown as readonly Alarm[]).map((alarm) => ({ ...alarm }));
    this.changed();
  }

  private set(alarm: Alarm): void {
    const before = this.next();
    this.alarms = this.alarms.filter((a) => a.device !== alarm.device || a.name !== alarm.name);
    const index = this.alarms.findIndex((a) => this.compare(alarm, a) < 0);
    this.alarms.splice(index < 0 ? this.alarms.length : index, 0, alarm);
    if (this.next() !== before) this.changed();
  }

  private remove(device: string, name: string): void {
    const before = this.next();
    this.alarms = this.alarms.filter((a) => a.device !== device || a.name !== name);
    if (this.next() !== before) this.changed();
  }

  private compare(a: Alarm, b: Alarm): number {
    if (a.at !== b.at) return a.at - b.at;
    const rank = this.order.indexOf(a.device) - this.order.indexOf(b.device);
    if (rank !== 0) return rank;
    return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
  }
}
