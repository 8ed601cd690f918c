/** Attaches invariants to a machine: checks from then on, at the events that they name. */

import type { Guests, Machine } from "../emulator/index.ts";
import type { AddressRange } from "./address-range.ts";
import { compile, makeFrame } from "./evaluate/compile.ts";
import { isUnknown } from "./evaluate/value.ts";
import { valueText } from "./evaluate/value-text.ts";
import { declaredMemory } from "./hypervisor-memory.ts";
import type { CheckedInvariant, Term } from "./language/term.ts";
import { Monitor, type MonitorState } from "./monitor.ts";
import { recallMonitor, recordMonitor, STATE_VERSION } from "./monitor-record.ts";
import type { Program } from "./program.ts";
import type { InvariantStatus, Violation } from "./violation.ts";

export interface AttachOptions {
  readonly invariants: readonly CheckedInvariant[];
  readonly program: Program | undefined;
  /** Attached to the machine since its reset. */
  readonly guests: Guests;
  /** hv.memory; by default it is derived at each VMRUN. */
  readonly hypervisorMemory?: readonly AddressRange[];
  /** What save() of others on this machine gave: those that say the same keep verdicts and counts. */
  readonly continues?: unknown;
  /** Which make the machine stop (reason "observer", observer "invariants") at a violation. */
  readonly stopOnViolation?: (invariant: CheckedInvariant) => boolean;
  /** Called when an invariant turns false, within the instruction; it must not change the machine. */
  readonly onViolation: (violation: Violation) => void;
}

export interface InvariantCounters {
  /** Not those that were found unchanged. */
  readonly evaluations: number;
  /** Page tables read. */
  readonly tableScans: number;
  /** Pages whose writes are noticed now, and how often what was read there was found to be stale. */
  readonly watchedPages: number;
  readonly staleMarks: number;
  /** Pages of which a copy is kept now, for `changes`. */
  readonly keptPages: number;
}

/** A Follower of time: verdicts and counts go back with the machine. */
export interface AttachedInvariants {
  readonly name: "invariants";
  readonly version: string;
  /** One for each invariant that is checked, in their order. */
  status(): InvariantStatus[];
  /** Work done, in deterministic counts. */
  counters(): InvariantCounters;
  /** Judges those about states that have no verdict yet, as the machine stands. */
  checkNew(): void;
  /**
   * Judges the calls and returns that the next instruction is, where a run that was told to end here
   * has not looked at it.
   */
  judgeNext(): void;
  /** What a term is worth as the machine stands: its text, or why it is unknown. */
  valueOf(term: Term): { readonly value: string } | { readonly unknown: string };
  /** Another number whenever a status may have changed. */
  readonly revision: number;
  save(): unknown;
  restore(saved: unknown): void;
  /** A saved state as plain data, undefined where it is more than that or not of the whole run. */
  record(saved: unknown): unknown;
  /** The way back; undefined for the state of other invariants. */
  recall(plain: unknown): unknown;
  detach(): void;
}

/**
 * Checks from now on, at the events that the invariants name. Changes no machine state. Throws a
 * RangeError of one sentence for a range that means nothing.
 */
export function attachInvariants(machine: Machine, options: AttachOptions): AttachedInvariants {
  const { invariants, program, guests, hypervisorMemory, onViolation } = options;
  const declared = hypervisorMemory === undefined ? undefined : declaredMemory(hypervisorMemory);
  const stopOnViolation = options.stopOnViolation ?? (() => false);
  const monitor = new Monitor(machine, invariants, {
    ...{ guests, program, declared, stopOnViolation, onViolation },
  });
  if (options.continues !== undefined) monitor.continue(options.continues as MonitorState);
  const stopObserving = machine.observe(monitor.observer);
  return {
    status: () => monitor.status(),
    counters: () => monitor.counters,
    checkNew: () => monitor.checkNew(),
    judgeNext: () => monitor.judgeNext(),
    valueOf: (term) => {
      const views = monitor.views.apart();
      const value = compile(term)(makeFrame(views.view("always")));
      views.clear();
      return isUnknown(value) ? { unknown: value.reason } : { value: valueText(value) };
    },
    get revision() {
      return monitor.revision;
    },
    name: "invariants",
    version: STATE_VERSION,
    save: () => monitor.save(),
    restore: (saved) => monitor.restore(saved as MonitorState),
    record: (saved) => recordMonitor(saved as MonitorState),
    recall: (plain) =>
      recallMonitor(
        plain,
        monitor.tracks.map(({ identity }) => identity),
      ),
    detach: () => {
      stopObserving();
      monitor.dispose();
    },
  };
}
