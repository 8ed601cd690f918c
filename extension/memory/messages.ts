/** What the memory view's page and the extension say to each other; addresses are hexadecimal texts. */
import type { Cell } from "./read-range.ts";

/** Whether the machine stands still and can be read. */
export type MachineState = "stopped" | "running" | "ended";

export type ToPage =
  /** Show this address of this space: the window moves there. */
  | { readonly type: "place"; readonly space: string; readonly address: string }
  | { readonly type: "state"; readonly state: MachineState }
  /** Memory may have changed: ask for the window again. */
  | { readonly type: "refresh" }
  | {
      readonly type: "bytes";
      readonly top: string;
      readonly cells: readonly Cell[];
      /** Indexes of cells that differ from what they were at the last stop. */
      readonly changed: readonly number[];
    }
  | { readonly type: "problem"; readonly text: string };

export type FromPage =
  | { readonly type: "ready" }
  | { readonly type: "window"; readonly top: string; readonly rows: number }
  | { readonly type: "goto"; readonly text: string }
  | { readonly type: "write"; readonly address: string; readonly value: number };
