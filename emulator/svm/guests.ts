/** Which guest is which: the Nth distinct nCR3 that VMRUN met, or the Nth VMCB without nested paging. */
import type { Machine } from "../machine.ts";
import type { Follower } from "../time/snapshot-store.ts";

interface Guest {
  /** nCR3, or the VMCB's address without nested paging. */
  readonly identity: bigint;
  /** The VMCB that ran it last. */
  readonly vmcb: number;
}

interface Saved {
  readonly guests: readonly Guest[];
  readonly current: number;
}

/** Attached since reset, so that numbers are the same in every look at a run. */
export class Guests implements Follower {
  readonly name = "guests";
  readonly version = "1";
  private readonly machine: Machine;
  private guests: Guest[] = [];
  private last = 0;

  constructor(machine: Machine) {
    this.machine = machine;
    machine.observe({ name: "guests", on: { vmrun: ({ vmcb }) => this.entered(vmcb) } });
  }

  /** How many guests have run. */
  get count(): number {
    return this.guests.length;
  }

  /** The guest that runs or ran last, from 1; undefined before the first VMRUN. */
  get current(): number | undefined {
    return this.last === 0 ? undefined : this.last;
  }

  /** The VMCB that ran a guest last. */
  vmcbOf(guest: number): number | undefined {
    return this.guests[guest - 1]?.vmcb;
  }

  /** The guest that a VMCB ran last. */
  ofVmcb(vmcb: number): number | undefined {
    const index = this.guests.findIndex((each) => each.vmcb === vmcb);
    return index < 0 ? undefined : index + 1;
  }

  private entered(vmcb: number): undefined {
    const { state } = this.machine;
    const identity = state.nestedPaging !== 0 ? state.nestedCr3 : BigInt(vmcb);
    const known = this.guests.findIndex((each) => each.identity === identity);
    if (known < 0) this.last = this.guests.push({ identity, vmcb });
    else {
      this.last = known + 1;
      if (this.guests[known]?.vmcb !== vmcb) this.guests[known] = { identity, vmcb };
    }
    return undefined;
  }

  save(): Saved {
    return { guests: [...this.guests], current: this.last };
  }

  restore(saved: unknown): void {
    const { guests, current } = saved as Saved;
    this.guests = [...guests];
    this.last = current;
  }
}
