/** Everything that enters a machine from outside: with the image, all that a run depends on. */
import type { Machine } from "./machine.ts";
import type { CpuState } from "./state/cpu-state.ts";
import { fieldsAt } from "./state/field-bytes.ts";

export type Input =
  /** Bytes for the receiver of COM1 (0) or COM2 (1). */
  | { readonly kind: "serial"; readonly port: 0 | 1; readonly bytes: Uint8Array }
  /** Bytes that the debugger wrote at a host-physical address. */
  | { readonly kind: "memory"; readonly address: number; readonly bytes: Uint8Array }
  /** CPU state that the debugger changed: bytes at offsets of the state as saved. */
  | { readonly kind: "cpu"; readonly runs: readonly StateRun[] };

/** Whoever lets a debugger change a machine. */
export interface Changes {
  enter(input: Input): void;
  /** Lets `change` set CPU state as a debugger does. */
  edit(change: (state: CpuState) => void): void;
}

export interface StateRun {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What differs between two states of one length, as runs of bytes. */
export function differences(before: Uint8Array, after: Uint8Array): StateRun[] {
  const runs: StateRun[] = [];
  for (let at = 0; at < after.length; at++) {
    if (before[at] === after[at]) continue;
    const offset = at;
    while (at < after.length && before[at] !== after[at]) at++;
    runs.push({ offset, bytes: after.slice(offset, at) });
  }
  return runs;
}

/** How each kind enters. */
export const ENTER: {
  readonly [K in Input["kind"]]: (machine: Machine, input: Input & { kind: K }) => void;
} = {
  serial: ({ platform }, { port, bytes }) => platform.serialInput(port, bytes),
  memory: ({ memory }, { address, bytes }) => {
    memory.poke(address, bytes);
  },
  cpu: (machine, { runs }) => machine.cpu.patch(runs),
};

const counted = (bytes: Uint8Array): string =>
  bytes.length === 1 ? "1 byte" : `${bytes.length} bytes`;

/** Each in a few words. */
const WORDS: { readonly [K in Input["kind"]]: (input: Input & { kind: K }) => string } = {
  serial: ({ port, bytes }) => `${counted(bytes)} typed to COM${port + 1}`,
  memory: ({ address, bytes }) => `${counted(bytes)} written to hpa:0x${address.toString(16)}`,
  cpu: ({ runs }) => {
    const fields = runs.flatMap(({ offset, bytes }) => fieldsAt(offset, bytes.length));
    const names = fields.map((name) => (name.startsWith("flag") ? "rflags" : name));
    return `${[...new Set(names)].join(", ") || "no register"} set`;
  },
};

/** "rbx set", "4 bytes written to hpa:0x5000", "1 byte typed to COM1". */
export const inputInWords = (input: Input): string =>
  (WORDS[input.kind] as (input: Input) => string)(input);
