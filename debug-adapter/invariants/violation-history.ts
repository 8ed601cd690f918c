/** Where invariants were seen to turn false in a run: the first and the last time of each. */
import type { Culprit, Violation } from "../../invariants/index.ts";
import type { ViolationFrame } from "../protocol.ts";

export interface SeenViolation {
  readonly violation: Violation;
  /** Once it was looked for. */
  culprit: Culprit | undefined;
  /** Where the culprit was about to run. */
  stack?: readonly ViolationFrame[] | undefined;
}

interface Seen {
  /** What the invariant said then. */
  readonly identity: string;
  readonly first: SeenViolation;
  readonly last: SeenViolation;
}

export class ViolationHistory {
  private seen: ReadonlyMap<string, Seen> = new Map();
  /** Of the futures that the machine is not in. */
  private readonly others = new Map<number, ReadonlyMap<string, Seen>>();

  /** The machine comes by the same violation again after it went back. */
  note(violation: Violation, identity: string): SeenViolation {
    const { invariant, icount } = violation;
    const before = this.seen.get(invariant);
    const known = [before?.first, before?.last].find((each) => each?.violation.icount === icount);
    const now = known ?? { violation, culprit: undefined };
    const isFirst = before === undefined || icount < before.first.violation.icount;
    const isLast = before === undefined || icount > before.last.violation.icount;
    const [first, last] = [isFirst ? now : before.first, isLast ? now : before.last];
    this.seen = new Map([...this.seen, [invariant, { identity, first, last }]]);
    return now;
  }

  first(invariant: string): SeenViolation | undefined {
    return this.seen.get(invariant)?.first;
  }

  last(invariant: string): SeenViolation | undefined {
    return this.seen.get(invariant)?.last;
  }

  /** Forgets an invariant that says something else now. */
  keepIfSame(invariant: string, identity: string): void {
    const isSame = ([name, seen]: [string, Seen]) =>
      name !== invariant || seen.identity === identity;
    this.seen = new Map([...this.seen].filter(isSame));
    for (const [future, seen] of this.others) {
      this.others.set(future, new Map([...seen].filter(isSame)));
    }
  }

  /** Another future begins: what came after is of the one that was left. */
  forked(left: number, icount: number): void {
    this.others.set(left, this.seen);
    const still = [...this.seen].filter(([, { first }]) => first.violation.icount <= icount);
    this.seen = new Map(
      still.map(([name, seen]) => {
        const { first, last } = seen;
        return [name, { ...seen, last: last.violation.icount <= icount ? last : first }];
      }),
    );
  }

  switched(left: number, next: number): void {
    this.others.set(left, this.seen);
    this.seen = this.others.get(next) ?? new Map();
    this.others.delete(next);
  }

  dropped(future: number): void {
    this.others.delete(future);
  }
}
