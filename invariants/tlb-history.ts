/** What VMRUNs have let the TLB keep of the nested tables: whether an ASID may go by old translations. */
import { TlbControl } from "../emulator/index.ts";
import { type Result, Unknown } from "./evaluate/value.ts";
import type { Walk } from "./model/page-tables.ts";
import type { View } from "./model/view.ts";
import { narrows, type SeenTables } from "./narrowing.ts";

interface Use {
  /** The VMCB and the tables as they were at the ASID's last VMRUN. */
  readonly vmcb: number;
  readonly walk: SeenTables;
  /** They had been narrowed before, and nothing has flushed the ASID since. */
  readonly isStale: boolean;
  /** Another VMCB had run with it before, and nothing has flushed it since. */
  readonly isShared: boolean;
}

/** ASIDs and what they last ran with. */
export type TlbState = ReadonlyMap<number, Use>;

export class TlbHistory {
  private uses: TlbState = new Map();

  /** Whether the ASID of the VMCB may have translations that the nested tables no longer give. */
  isStale(view: View): Result {
    const walk = walkOf(view);
    if (walk instanceof Unknown) return walk;
    const use = view.context instanceof Unknown ? undefined : this.uses.get(view.context.asid);
    return use !== undefined && (use.isStale || narrows(use.walk, walk));
  }

  /** Whether the TLB may keep translations of an ASID that came from running another VMCB than this one. */
  isAnothers(asid: number, { context }: View): Result {
    if (context instanceof Unknown) return context;
    const use = this.uses.get(asid);
    return use !== undefined && (use.isShared || use.vmcb !== context.vmcb);
  }

  /** After what is judged at a VMRUN: section 15.16.2 says what its TLB_CONTROL flushes. */
  vmrun(view: View): void {
    const { context } = view;
    const walk = walkOf(view);
    if (context instanceof Unknown || walk instanceof Unknown) return;
    const control = view.vmcbAt(context.vmcb).read("TLB_CONTROL");
    const { asid, vmcb } = context;
    const isFlushed = control !== TlbControl.none;
    const isStale = !isFlushed && this.isStale(view) === true;
    const isShared = !isFlushed && this.isAnothers(asid, view) === true;
    const before = this.uses.get(asid);
    const isFirst = before?.vmcb !== vmcb || before.walk !== walk;
    const isFlush = control === TlbControl.flushAll;
    if (!isFirst && !isFlush && before.isStale === isStale && before.isShared === isShared) return;
    const others = isFlush ? [] : this.uses;
    this.uses = new Map([...others, [asid, { vmcb, walk, isStale, isShared }]]);
  }

  save(): TlbState {
    return this.uses;
  }

  restore(saved: TlbState): void {
    this.uses = saved;
  }
}

function walkOf({ context, walks }: View): Walk | Unknown {
  if (context instanceof Unknown) return context;
  return walks.nested(context, context.nestedCr3);
}
