/** What the debugger remembers of a run: watched from its reset on, and back in time with the machine. */
import type { Follower, Machine } from "../emulator/index.ts";
import { ConsoleTail } from "./console/console-tail.ts";
import { DeliveryLog } from "./delivery-log.ts";
import { ExitLog } from "./exits/exit-log.ts";

export class RunMemory {
  readonly exits: ExitLog;
  readonly deliveries: DeliveryLog;
  readonly consoleTail: ConsoleTail;

  constructor(machine: Machine) {
    this.exits = new ExitLog(machine);
    this.deliveries = new DeliveryLog(machine);
    this.consoleTail = new ConsoleTail(machine);
  }

  get followers(): readonly Follower[] {
    return [this.exits, this.deliveries, this.consoleTail];
  }
}
