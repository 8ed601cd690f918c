/** Runs to where the CPU enters the guest, leaves it, or enters a handler of its world. */
import type { Debuggee } from "../debuggee.ts";
import { type Delivery, deliveryTitle } from "../delivery-log.ts";
import type { World } from "../register-file.ts";
import type { Goal, Stop } from "../runner.ts";

export type Crossing = "intoGuest" | "toExit" | "intoHandler";

export class CrossingGoal implements Goal {
  readonly isSingle = false;
  private readonly debuggee: Debuggee;
  private readonly crossing: Crossing;
  private readonly world: World;
  private arrived: Stop | undefined;

  constructor(debuggee: Debuggee, crossing: Crossing) {
    this.debuggee = debuggee;
    this.crossing = crossing;
    this.world = debuggee.world;
  }

  onVmrun(): boolean {
    return this.crossing === "intoGuest" && this.arrive("step into the guest");
  }

  onExit(): boolean {
    return this.crossing === "toExit" && this.arrive("step to the exit");
  }

  onException(event: Delivery): boolean {
    if (this.crossing !== "intoHandler" || this.debuggee.world !== this.world) return false;
    return this.arrive(`step into the handler of ${deliveryTitle(event)}`);
  }

  reached(): Stop | undefined {
    return this.arrived;
  }

  private arrive(how: string): true {
    this.arrived = { reason: "step", description: `Paused after ${how}` };
    return true;
  }
}
