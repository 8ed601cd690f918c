/** What every chip is, and what it may ask of the machine. */

/** A device's whole state as plain data; restored by the same device only. */
export type DeviceState = { readonly [name: string]: DeviceValue };
export type DeviceValue =
  | number
  | bigint
  | boolean
  | string
  | null
  | Uint8Array
  | readonly DeviceValue[]
  | DeviceState;

/** A wire: an interrupt line, A20, reset. Level-triggered; edges are changes. */
export type Line = (high: boolean) => void;

/** Virtual time and alarms for one device. Ticks are nanoseconds of virtual time (a number). */
export interface DeviceClock {
  now(): number;
  /**
   * Calls back at the given tick (or at once if it passed), replacing this device's alarm of the
   * same name. Callbacks are re-attached after restore by name.
   */
  setAlarm(name: string, at: number): void;
  clearAlarm(name: string): void;
}

/** Registers for display by the data sheet's names: a number, a text, or a number and what it says. */
export interface DeviceRegisters {
  readonly [name: string]:
    | number
    | bigint
    | string
    | { readonly value: number | bigint; readonly words: string };
}

/** A chip. Reads and writes may have side effects; peeks never do. All addresses are absolute. */
export interface Device {
  readonly name: string;
  reset(): void;
  save(): DeviceState;
  restore(state: DeviceState): void;
  /** An alarm set through the clock went off. */
  onAlarm?(name: string): void;
  readPort?(port: number, size: 1 | 2 | 4): number;
  writePort?(port: number, size: 1 | 2 | 4, value: number): void;
  readMmio?(address: number, size: 1 | 2 | 4 | 8): bigint;
  writeMmio?(address: number, size: 1 | 2 | 4 | 8, value: bigint): void;
  /** What a read of four aligned bytes would give, without its side effects; missing if unknown. */
  peekMmio?(address: number): bigint;
  /** Named registers for display: no side effects. */
  describe?(): DeviceRegisters;
}
