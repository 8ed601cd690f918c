/** Machines that stand still without a debugger: a client left them to be attached to later. */
import type { BootPlan } from "./boot.ts";
import type { Debuggee } from "./debuggee.ts";
import { UserError } from "./text.ts";

export interface ParkedMachine {
  /** What `attach` names it by: "1", "2" ... */
  readonly name: string;
  readonly plan: BootPlan;
  readonly debuggee: Debuggee;
}

/** Shared by the sessions of one adapter process; a machine without a debugger never runs. */
export class ParkedMachines {
  private readonly machines = new Map<string, ParkedMachine>();
  private next = 1;

  /** Returns the name by which it can be taken. */
  park(plan: BootPlan, debuggee: Debuggee): string {
    const name = String(this.next++);
    this.machines.set(name, { name, plan, debuggee });
    return name;
  }

  /** The machine of that name, or the only one. Throws a UserError that lists what waits. */
  take(name?: string): ParkedMachine {
    const all = [...this.machines.values()];
    const only = all.length === 1 ? all[0] : undefined;
    const found = name === undefined ? only : this.machines.get(name);
    if (found === undefined) throw new UserError(this.refusal(name));
    this.machines.delete(found.name);
    return found;
  }

  get names(): readonly string[] {
    return [...this.machines.keys()];
  }

  private refusal(name: string | undefined): string {
    const { names } = this;
    if (names.length === 0) {
      return "No machine waits to be attached to: disconnect from one with suspendDebuggee first, in the same adapter process (minvisor dap --port).";
    }
    const list = names.map((each) => `"${each}"`).join(", ");
    return name === undefined
      ? `Several machines wait: name one of ${list} in "machine".`
      : `No machine "${name}" waits to be attached to; there is ${list}.`;
  }
}
