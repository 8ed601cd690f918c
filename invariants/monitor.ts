/** Watches a running machine: checks invariants at each VMRUN and when a guest writes a nested table. */

import type { Machine, Observer } from "../emulator/index.ts";
import { bytesValue } from "./bytes-value.ts";
import { type Evaluated, Evaluation } from "./evaluation.ts";
import type { HypervisorMemory } from "./hypervisor-memory.ts";
import type { Invariant, Verdict } from "./invariant.ts";
import type { InvariantStatus, Violation } from "./violation.ts";
import { contextAtVmrun, contextInGuest, type VmrunContext } from "./vmrun-context.ts";

interface Track {
  readonly invariant: Invariant;
  verdict: Verdict | undefined;
  checked: number;
}

export interface MonitorOptions {
  readonly invariants: readonly Invariant[];
  readonly declared: HypervisorMemory | undefined;
  readonly stopOnViolation: boolean;
  readonly onViolation: (violation: Violation) => void;
}

/**
 * The first VMRUN arms it by being the first check: builders of tables break invariants on the way.
 * For the same reason a host's write to a nested table is judged at the next VMRUN, before any guest
 * can use it; a guest's write takes effect at once and is judged at once.
 *
 * It changes no machine state and keeps none of its own that a restored snapshot would make wrong:
 * where time went back, invariants that were violated are reported again when they are met again.
 */
export class Monitor {
  readonly observer: Observer = {
    name: "invariants",
    on: {
      vmrunStart: ({ vmcb }) => this.check(contextAtVmrun(this.machine, vmcb), true),
      physicalWrite: ({ address, size, before, after }) => {
        const changed = this.evaluation.cache.written(address, size, before, after);
        if (!changed || this.machine.state.guestMode === 0) return undefined;
        return this.check(contextInGuest(this.machine), false);
      },
      poke: ({ address }) => {
        this.evaluation.cache.replaced(address);
        return undefined;
      },
    },
  };
  readonly evaluation: Evaluation;
  private readonly machine: Machine;
  private readonly options: MonitorOptions;
  private readonly tracks: readonly Track[];
  private lastIcount = -1;
  private lastExit: number | undefined;
  private memorySource: HypervisorMemory["source"] | undefined;

  constructor(machine: Machine, options: MonitorOptions) {
    this.machine = machine;
    this.options = options;
    this.evaluation = new Evaluation(machine, options.invariants, options.declared);
    this.tracks = options.invariants.map((invariant) => ({
      invariant,
      verdict: undefined,
      checked: 0,
    }));
  }

  status(): InvariantStatus[] {
    const { lastExit, memorySource } = this;
    return this.tracks.map(({ invariant, verdict, checked }) => ({
      name: invariant.name,
      doc: invariant.doc,
      state: verdict?.kind ?? "never checked",
      checked,
      ...(lastExit === undefined ? {} : { lastExit }),
      ...(verdict?.kind === "unknown" ? { reason: verdict.reason } : {}),
      ...(memorySource === undefined ? {} : { hypervisorMemory: memorySource }),
    }));
  }

  private check(context: VmrunContext, atVmrun: boolean): "stop" | undefined {
    this.noticeTimeTravel(atVmrun);
    const evaluated = this.evaluation.evaluate(context);
    this.lastExit = this.machine.state.exitCount;
    this.memorySource = evaluated.view.hypervisorMemory.source;
    let violated = false;
    this.tracks.forEach((track, i) => {
      const before = track.verdict?.kind;
      const verdict = evaluated.verdicts[i] as Verdict;
      track.verdict = verdict;
      if (verdict.kind !== "unknown") track.checked++;
      if (verdict.kind !== "violated" || before === "violated") return;
      violated = true;
      this.options.onViolation(this.violation(track.invariant, verdict, evaluated, context));
    });
    return violated && this.options.stopOnViolation ? "stop" : undefined;
  }

  /** Each VMRUN has an icount of its own; the writes of one instruction share theirs. */
  private noticeTimeTravel(atVmrun: boolean): void {
    const { icount } = this.machine;
    const wentBack = atVmrun ? icount <= this.lastIcount : icount < this.lastIcount;
    this.lastIcount = icount;
    if (wentBack) for (const track of this.tracks) track.verdict = undefined;
  }

  private violation(
    { name }: Invariant,
    verdict: Extract<Verdict, { kind: "violated" }>,
    { view: { hypervisorMemory } }: Evaluated,
    { rip }: VmrunContext,
  ): Violation {
    const { message, expected, actual, witness } = verdict;
    const { memory, icount, state } = this.machine;
    const { source } = hypervisorMemory;
    return {
      invariant: name,
      message,
      expected,
      actual,
      icount,
      vmrunRip: rip,
      exitNumber: state.exitCount,
      witness: { ...witness, value: bytesValue(memory.peek(witness.first, witness.bytes)) },
      hypervisorMemory: {
        source,
        ranges: source === "unknown" ? [] : hypervisorMemory.ranges,
      },
    };
  }
}
