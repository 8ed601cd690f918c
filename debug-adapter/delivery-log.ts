/** Remembers the interrupts and exceptions delivered last, to name what an interrupted frame waits for. */
import type { Follower, Machine, ObserverEvents } from "../emulator/index.ts";
import type { World } from "./register-file.ts";

export type Delivery = ObserverEvents["exception"];

/** Frames deeper than this many nested or abandoned interruptions have no name. */
const KEPT = 256;

type Saved = Readonly<Record<World, readonly (readonly [bigint, Delivery])[]>>;

export class DeliveryLog implements Follower {
  readonly name = "delivery log";
  readonly version = "1";
  private readonly logs: Readonly<Record<World, Map<bigint, Delivery>>> = {
    host: new Map(),
    guest: new Map(),
  };

  constructor(machine: Machine) {
    machine.observe({
      name: "delivery log",
      on: {
        exception: (event) => {
          const { state } = machine;
          const log = this.logs[state.guestMode !== 0 ? "guest" : "host"];
          log.delete(state.rsp);
          log.set(state.rsp, event);
          if (log.size > KEPT) log.delete(log.keys().next().value as bigint);
          return undefined;
        },
      },
    });
  }

  save(): Saved {
    return { host: [...this.logs.host], guest: [...this.logs.guest] };
  }

  restore(saved: unknown): void {
    const logs = saved as Saved;
    for (const world of ["host", "guest"] as const) {
      this.logs[world].clear();
      for (const [stack, event] of logs[world]) this.logs[world].set(stack, event);
    }
  }

  /** The last delivery in that world that found this stack pointer. */
  at(world: World, stack: bigint): Delivery | undefined {
    return this.logs[world].get(stack);
  }
}

const NMI = 2;

/** "#PF", "interrupt 0x20", "NMI" or "INT 0x80". */
export function deliveryTitle({ vector, name, external }: Delivery): string {
  if (external) return vector === NMI ? "NMI" : `interrupt 0x${vector.toString(16)}`;
  return name === undefined ? `INT 0x${vector.toString(16)}` : `#${name}`;
}
