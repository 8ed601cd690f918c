/** What the page of all exits and the extension say to each other. */
import type { CustomRequests } from "../../debug-adapter/protocol.ts";

/** What the page may ask of the session in front. */
export type PageRequest = "minvisor/exitLedger" | "minvisor/exitDensity" | "minvisor/seek";
export const PAGE_REQUESTS: readonly string[] = [
  "minvisor/exitLedger",
  "minvisor/exitDensity",
  "minvisor/seek",
] satisfies readonly PageRequest[];

export type MachineState = "none" | "running" | "stopped" | "ended";

export type ToPage =
  /** What the machine in front does now; its exits are asked for again. */
  | { readonly type: "machine"; readonly state: MachineState }
  | { readonly type: "answer"; readonly id: number; readonly body: unknown }
  | { readonly type: "refused"; readonly id: number; readonly message: string };

export type FromPage =
  | { readonly type: "ready" }
  | {
      readonly type: "ask";
      readonly id: number;
      readonly request: PageRequest;
      readonly args: CustomRequests[PageRequest]["arguments"];
    };
