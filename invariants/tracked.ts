/** One invariant as it is checked again and again: its verdict, and what the verdict was read from. */
import { type Code, compile, type Frame, makeFrame } from "./evaluate/compile.ts";
import { type Explanation, explain } from "./evaluate/explain.ts";
import { type OldValues, Reads } from "./evaluate/reads.ts";
import { isUnknown, type Result } from "./evaluate/value.ts";
import type { HypervisorMemory } from "./hypervisor-memory.ts";
import { identityOf } from "./identity.ts";
import type { EventName } from "./language/syntax.ts";
import type { CheckedInvariant, Term } from "./language/term.ts";
import { parts } from "./language/term-parts.ts";
import type { View } from "./model/view.ts";

/** Three-valued: what cannot be read is unknown, never "holds". */
export type Verdict =
  | { readonly kind: "holds" }
  | { readonly kind: "violated"; readonly explanation: Explanation }
  | { readonly kind: "unknown"; readonly reason: string };

const NO_VALUES: OldValues = new Map();
const HOLDS: Verdict = { kind: "holds" };

/** Which event's values old(...) stands for at an event; a return's are those of its own call. */
function earlierEvent(event: EventName): EventName {
  if (event === "exit") return "vmrun";
  return event === "vmrun" ? "exit" : event;
}

/** A check, as it is told later. */
export interface CheckPlace {
  readonly icount: number;
  /** Number of the last #VMEXIT; 0 before the first. */
  readonly exitNumber: number;
  /** Host rip to show for it: the VMRUN's, or the function's for its call and return. */
  readonly rip: bigint | undefined;
}

/** Of the old(...) terms of an invariant, in their order. */
export type OldResults = readonly Result[];

/** What goes back in time with the machine, and on to an invariant that says the same. */
export interface TrackState {
  readonly verdict: Verdict | undefined;
  readonly checked: number;
  /** It was checked from reset on: every run to here gives the same. */
  readonly isWhole: boolean;
  readonly lastGood: CheckPlace | undefined;
  readonly lastExit: number | undefined;
  readonly old: ReadonlyMap<EventName, OldResults>;
}

export const NEVER_CHECKED: TrackState = {
  verdict: undefined,
  checked: 0,
  isWhole: false,
  lastGood: undefined,
  lastExit: undefined,
  old: new Map(),
};

export class Tracked {
  readonly invariant: CheckedInvariant;
  readonly identity: string;
  readonly oldTerms: readonly Term[];
  readonly usesChanges: boolean;
  verdict: Verdict | undefined;
  /** Times that it was found to hold or not; what was unknown does not count. */
  checked = 0;
  private isWhole: boolean;
  /** Where it was last found to hold. */
  lastGood: CheckPlace | undefined;
  /** Number of the last exit before its last check. */
  lastExit: number | undefined;
  /** Times that it was evaluated, not merely found unchanged. */
  evaluations = 0;
  private readonly code: Code;
  private readonly oldCodes: readonly Code[];
  private readonly places: ReadonlyMap<Term, number>;
  private old = new Map<EventName, OldResults>();
  /** Of the call whose return is judged. */
  private ofCall: OldResults | undefined;
  /** The events before those at which it is judged. */
  readonly looksBackTo: ReadonlySet<EventName>;
  /** Events whose values a later one looks at. */
  readonly keptAt: ReadonlySet<EventName>;
  private last: { readonly verdict: Verdict; readonly reads: Reads } | undefined;

  /** `isWhole`: the machine stands at its reset. */
  constructor(
    invariant: CheckedInvariant,
    declared: HypervisorMemory | undefined,
    isWhole: boolean,
  ) {
    this.invariant = invariant;
    this.isWhole = isWhole;
    this.identity = identityOf(invariant, declared);
    const terms = [...termsIn(invariant.body)];
    this.oldTerms = terms.filter(({ kind }) => kind === "old");
    this.usesChanges = terms.some((term) => term.kind === "global" && term.name === "changes");
    this.code = compile(invariant.body);
    this.oldCodes = this.oldTerms.flatMap((term) =>
      term.kind === "old" ? [compile(term.body)] : [],
    );
    this.places = new Map(this.oldTerms.map((term, i) => [term, i]));
    const events = invariant.events.flatMap(({ name }): EventName[] =>
      name === "always" ? ["vmrun", "exit"] : [name],
    );
    this.looksBackTo = new Set(events.map(earlierEvent));
    this.keptAt = this.oldTerms.length === 0 ? new Set() : this.looksBackTo;
  }

  /** Whether it is about the present state alone. */
  get isOfOneState(): boolean {
    return this.oldTerms.length === 0 && !this.usesChanges;
  }

  /** Judges it in the view; true if it turned false now. */
  check(view: View, place: CheckPlace): boolean {
    const before = this.verdict?.kind;
    const verdict = this.judge(view);
    this.verdict = verdict;
    this.lastExit = place.exitNumber;
    if (verdict.kind !== "unknown") this.checked++;
    if (verdict.kind === "holds") this.lastGood = place;
    return verdict.kind === "violated" && before !== "violated";
  }

  /** It is judged at writes to a range that is known, or not for a reason. */
  rangeIs(name: string, unknown: string | undefined): void {
    const about = `the range of ${name} is unknown: `;
    const { verdict } = this;
    if (unknown !== undefined) {
      if (verdict?.kind !== "violated") this.verdict = { kind: "unknown", reason: about + unknown };
    } else if (verdict?.kind === "unknown" && verdict.reason.startsWith(about)) {
      this.verdict = undefined;
    }
  }

  /** At an event of keptAt: keeps what old(...) will stand for at one to come. */
  keepOld(view: View): void {
    this.old.set(view.event, this.oldResults(view));
  }

  /** What old(...) stands for at an event. */
  oldAt(event: EventName): OldValues | undefined {
    const results = event === "return" ? this.ofCall : this.old.get(earlierEvent(event));
    const { places } = this;
    return results && { get: (term) => results[places.get(term) ?? -1] };
  }

  oldResults(view: View): OldResults {
    const frame = makeFrame(view);
    return this.oldCodes.map((code) => code(frame));
  }

  /** For return: the values of its own call, however calls nest. */
  giveOld(results: OldResults | undefined): void {
    this.ofCall = results;
  }

  save(): TrackState {
    const { verdict, checked, isWhole, lastGood, lastExit } = this;
    return { verdict, checked, isWhole, lastGood, lastExit, old: new Map(this.old) };
  }

  restore({ verdict, checked, isWhole, lastGood, lastExit, old }: TrackState): void {
    this.verdict = verdict;
    this.checked = checked;
    this.isWhole = isWhole;
    this.lastGood = lastGood;
    this.lastExit = lastExit;
    this.old = new Map(old);
    this.last = undefined;
  }

  private judge(view: View): Verdict {
    const { last } = this;
    const old = this.oldTerms.length === 0 ? NO_VALUES : (this.oldAt(view.event) ?? NO_VALUES);
    if (last?.reads.areUnchanged(view, old) === true) return last.verdict;
    this.evaluations++;
    const reads = new Reads();
    const frame = makeFrame(view, old, reads);
    const verdict = this.verdictOf(this.code(frame), frame);
    this.last = { verdict, reads };
    return verdict;
  }

  private verdictOf(result: Result, frame: Frame): Verdict {
    if (isUnknown(result)) return { kind: "unknown", reason: result.reason };
    if (result === true) return HOLDS;
    const { view, old } = frame;
    return { kind: "violated", explanation: explain(this.invariant.body, makeFrame(view, old)) };
  }
}

/** Those of definitions that it uses, too: each once. */
function termsIn(body: Term): ReadonlySet<Term> {
  const found = new Set<Term>();
  const visit = (term: Term): void => {
    if (found.has(term)) return;
    found.add(term);
    if (term.kind === "expand") visit(term.definition.body);
    for (const part of parts(term)) visit(part);
  };
  visit(body);
  return found;
}
