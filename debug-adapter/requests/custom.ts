/** The debugger's own requests (protocol.ts). */
import { loadedIn } from "../context.ts";
import type { Handlers } from "./types.ts";

export const customRequests: Handlers<
  "minvisor/consoleInput" | "minvisor/exits" | "minvisor/setNumberFormat" | "minvisor/status"
> = {
  "minvisor/consoleInput": (context, args) => {
    const { debuggee, runner } = loadedIn(context);
    const { port, text } = args;
    const index = port === "com1" ? 0 : 1;
    debuggee.changes.enter({ kind: "serial", port: index, bytes: new TextEncoder().encode(text) });
    runner.wake();
    return {};
  },

  "minvisor/exits": (context) => {
    const { exits } = loadedIn(context).debuggee;
    return { total: exits.total, byReason: Object.fromEntries(exits.counts) };
  },

  "minvisor/setNumberFormat": (context, { format }) => {
    context.client.numberFormat = format;
    if (context.client.supportsInvalidatedEvent) {
      context.afterResponse(() => context.emit("invalidated", { areas: ["variables"] }));
    }
    return { format };
  },

  "minvisor/status": (context) => {
    const { debuggee, runner, invariants, opcodes } = loadedIn(context);
    const { machine, world } = debuggee;
    const { icount, ticks } = machine;
    return {
      icount,
      ticks,
      world,
      running: runner.isRunning,
      invariants: invariants.status(),
      undefinedOpcodes: Object.fromEntries(opcodes.counts),
    };
  },
};
