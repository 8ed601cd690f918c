/** A violation as it is reported, and the state of an invariant as it is shown. */

import type { AddressRange } from "./address-range.ts";
import type { Bytes } from "./evaluate/value.ts";
import type { CheckedInvariant } from "./language/term.ts";
import type { CheckPlace } from "./tracked.ts";
import type { Writer } from "./writer.ts";

export interface Violation {
  readonly invariant: string;
  /** One sentence, without its full stop. */
  readonly message: string;
  readonly expected: string;
  readonly actual: string;
  /** Instructions retired when it was found. */
  readonly icount: number;
  /** Host rip of the VMRUN: the one about to run, or that started the guest; undefined before the first. */
  readonly vmrunRip: bigint | undefined;
  /** Number of the last #VMEXIT; 0 before the first. */
  readonly exitNumber: number;
  /** The last check before that found it to hold; undefined where there was none. */
  readonly lastGood: CheckPlace | undefined;
  /** The bytes that make it false, and what they were (little-endian); undefined where registers do. */
  readonly witness: (Bytes & { readonly value: bigint }) | undefined;
  /** The instruction of an event that writes no memory, an MSR's or an exception; undefined at others. */
  readonly writer: Writer | undefined;
  readonly hypervisorMemory: {
    readonly source: "declared" | "derived" | "unknown";
    readonly ranges: readonly AddressRange[];
  };
}

/** What was found, in sentences. */
export const violationText = ({ message, expected, actual }: Violation): string =>
  `${message}. Expected: ${expected}. Actual: ${actual}.`;

export interface InvariantStatus {
  readonly name: string;
  /** The same of two that say the same. */
  readonly identity: string;
  readonly doc: string;
  readonly source: string | undefined;
  /** Where it is written: the path of its file, and offsets there. */
  readonly file: string;
  readonly span: CheckedInvariant["span"];
  readonly state: "holds" | "violated" | "unknown" | "never checked";
  /** Times that it was found to hold or not; what was unknown does not count. */
  readonly checked: number;
  /** Number of the last exit before the last check. */
  readonly lastExit?: number;
  /** Why it is unknown, or what makes it false. */
  readonly reason?: string;
  /** Where memory of the hypervisor was judged: what it was taken from. */
  readonly hypervisorMemory?: "declared" | "derived" | "unknown";
}
