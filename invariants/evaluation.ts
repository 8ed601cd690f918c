/** Evaluates invariants, and does so again only when something that they read has changed. */

import type { Machine } from "../emulator/index.ts";
import { sameRanges } from "./address-range.ts";
import { derivedMemory, type HypervisorMemory } from "./hypervisor-memory.ts";
import type { CheckView, Invariant, NestedTables, Verdict } from "./invariant.ts";
import { TableCache } from "./table-cache.ts";
import { hostFormat } from "./table-format.ts";
import { tablesFrom } from "./table-tree.ts";
import { sameContext, type VmrunContext } from "./vmrun-context.ts";

export interface Evaluated {
  readonly view: CheckView;
  /** In the order of the invariants. */
  readonly verdicts: readonly Verdict[];
}

/**
 * What verdicts depend on: the registers and VMCB fields of the context, compared at each check, and
 * tables, whose pages are watched by the cache. Everything else is fixed when the evaluation is made.
 */
export class Evaluation {
  readonly cache: TableCache;
  /** Times that the invariants were evaluated, not merely found unchanged. */
  evaluations = 0;
  private readonly machine: Machine;
  private readonly invariants: readonly Invariant[];
  private readonly declared: HypervisorMemory | undefined;
  private last: (Evaluated & { readonly generation: number }) | undefined;

  constructor(
    machine: Machine,
    invariants: readonly Invariant[],
    declared: HypervisorMemory | undefined,
  ) {
    this.machine = machine;
    this.invariants = invariants;
    this.declared = declared;
    this.cache = new TableCache(machine.memory);
  }

  evaluate(context: VmrunContext): Evaluated {
    const { last, cache } = this;
    if (last?.generation === cache.generation && sameContext(last.view.context, context)) {
      return last;
    }
    this.evaluations++;
    const view = this.view(context);
    const verdicts = this.invariants.map((invariant) => invariant.check(view));
    this.last = { view, verdicts, generation: cache.generation };
    return this.last;
  }

  private view(context: VmrunContext): CheckView {
    const found = this.declared ?? derivedMemory(this.machine, this.cache, context);
    const before = this.last?.view.hypervisorMemory;
    const same =
      before !== undefined &&
      before.source !== "unknown" &&
      found.source !== "unknown" &&
      sameRanges(before.ranges, found.ranges);
    const hypervisorMemory = same ? { ...found, ranges: before.ranges } : found;
    return { context, hypervisorMemory, nested: this.nestedTables(context) };
  }

  private nestedTables(context: VmrunContext): NestedTables | { unknown: string } {
    if (!context.nestedPaging) return { unknown: "nested paging is off" };
    const format = hostFormat(context);
    if (format === undefined) return { unknown: "the host runs without paging" };
    return { format, visits: tablesFrom(this.cache, format, context.nestedCr3) };
  }
}
