/** Hardware task switches: intercepted as SVM says, otherwise the machine stops and says that it has none. */
import { ExitRequest } from "../state/cpu-state.ts";
import { interceptTaskSwitch as intercept } from "../svm/exception-intercept.ts";
import type { Vcpu } from "../vcpu.ts";

export interface TaskSwitch {
  /** Selector of the new task's TSS. */
  readonly selector: number;
  readonly cause: "JMP" | "CALL" | "IRET" | "interrupt";
  readonly errorCode?: number | undefined;
}

/** Exits if the guest's intercepts say so. */
export function interceptTaskSwitch(cpu: Vcpu, task: TaskSwitch): void {
  const source = task.cause === "interrupt" ? "event" : task.cause;
  intercept(cpu.state, task.selector, source, task.errorCode);
}

/**
 * Ends the instruction and stops the machine. No system that runs in long mode switches tasks; a
 * legacy one that does is told so instead of going wrong.
 */
export function stopAtTaskSwitch(cpu: Vcpu, task: TaskSwitch): void {
  cpu.state.exitRequest |= ExitRequest.aborted;
  const selector = `0x${task.selector.toString(16)}`;
  cpu.requestStop({
    kind: "notImplemented",
    what: `${task.cause} to TSS ${selector}: hardware task switches are not implemented.`,
  });
}
