// Types of guest-linux.mjs, for the tests.

export const KERNEL_PATH: string;
export const INITRD_PATH: string;
export const READY_LINE: string;
export const DONE_LINE: string;
export const RESULTS: string;
export const KERNEL_ARGUMENTS: string;
export const LONG_WORK: string;

export interface CpioEntry {
  readonly name: string;
  readonly mode: number;
  readonly data?: Buffer;
  readonly device?: readonly [number, number];
}

export function cpioArchive(entries: readonly CpioEntry[]): Buffer;
export function makeLinuxGuest(): boolean;
