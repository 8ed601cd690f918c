/** The name of the vCPU's thread: where the CPU is, and on whose behalf. */
import type { Debuggee } from "./debuggee.ts";
import { exitReason } from "./exits/exit-log.ts";

/** "vCPU 0 · guest 1 ring 3 · init(1)", or "vCPU 0 · host ring 0 · handling NPF". */
export function threadName(debuggee: Debuggee): string {
  const { world, spaces, exits, kernel } = debuggee;
  const ring = `ring ${debuggee.machine.state.cpl}`;
  const task = kernel?.task();
  const ofTask = task === undefined ? [] : [`${task.name}(${task.pid})`];
  if (world === "guest") {
    return ["vCPU 0", `guest ${spaces.guest ?? 1} ${ring}`, ...ofTask].join(" · ");
  }
  const handled = exits.last === undefined ? ofTask : [`handling ${exitReason(exits.last)}`];
  return ["vCPU 0", `host ${ring}`, ...handled].join(" · ");
}
