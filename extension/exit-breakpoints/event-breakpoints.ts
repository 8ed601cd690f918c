/** Breakpoints on exits and other events as the user has them, and what the adapter says of each. */
import type { DebugProtocol, EventBreakpoint } from "../../debug-adapter/protocol.ts";

/** A breakpoint as it is kept; one that is off keeps its condition. */
export interface KeptBreakpoint extends EventBreakpoint {
  readonly enabled: boolean;
}

/** What is said of a breakpoint; empty texts say nothing. */
export type BreakpointText = "condition" | "hitCondition" | "logMessage";
const TEXTS: readonly BreakpointText[] = ["condition", "hitCondition", "logMessage"];

const isKept = (value: unknown): value is KeptBreakpoint => {
  const { event, enabled, ...texts } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof event === "string" &&
    typeof enabled === "boolean" &&
    TEXTS.every((text) => ["string", "undefined"].includes(typeof texts[text]))
  );
};

export class EventBreakpoints {
  private readonly kept = new Map<string, KeptBreakpoint>();
  private readonly problems = new Map<string, string>();
  private readonly events = new Map<number, string>();
  private readonly hits = new Set<string>();
  private readonly isExit: (event: string) => boolean;

  /** `stored` is what `all` gave before, or anything: what is no breakpoint is left out. */
  constructor(stored: unknown, isExit: (event: string) => boolean) {
    this.isExit = isExit;
    for (const each of Array.isArray(stored) ? stored : [])
      if (isKept(each)) this.kept.set(each.event, each);
  }

  get all(): readonly KeptBreakpoint[] {
    return [...this.kept.values()];
  }

  /** Those on events that are no exits of the table: the user wrote them. */
  get added(): readonly KeptBreakpoint[] {
    return this.all.filter(({ event }) => !this.isExit(event));
  }

  of(event: string): KeptBreakpoint {
    return this.kept.get(event) ?? { event, enabled: false };
  }

  /** What is sent to the adapter. */
  get enabled(): readonly EventBreakpoint[] {
    return this.all.filter(({ enabled }) => enabled).map(({ enabled: _, ...sent }) => sent);
  }

  setEnabled(event: string, enabled: boolean): void {
    this.keep({ ...this.of(event), enabled });
  }

  /** Whoever says when to stop wants to stop: the breakpoint is turned on. */
  setText(event: string, text: BreakpointText, value: string): void {
    const { [text]: _, ...rest } = this.of(event);
    const trimmed = value.trim();
    const isCleared = trimmed === "";
    this.keep({
      ...rest,
      enabled: isCleared ? rest.enabled : true,
      ...(isCleared ? {} : { [text]: trimmed }),
    });
  }

  remove(event: string): void {
    this.kept.delete(event);
    this.problems.delete(event);
    this.hits.delete(event);
  }

  /** Turns all off and forgets their texts; events that the user added stay. */
  clear(): void {
    const { added } = this;
    for (const { event } of this.all) this.remove(event);
    for (const { event } of added) this.kept.set(event, { event, enabled: false });
  }

  private keep(breakpoint: KeptBreakpoint): void {
    const { event, enabled } = breakpoint;
    const saysNothing = !enabled && TEXTS.every((text) => breakpoint[text] === undefined);
    if (saysNothing && this.isExit(event)) this.kept.delete(event);
    else this.kept.set(event, breakpoint);
    if (!enabled) this.problems.delete(event);
    if (!enabled) this.hits.delete(event);
  }

  /** The adapter's answer to `sent`. */
  answered(sent: readonly EventBreakpoint[], answers: readonly DebugProtocol.Breakpoint[]): void {
    this.forgetAnswers();
    for (const [i, { event }] of sent.entries()) {
      const answer = answers[i];
      if (answer?.id !== undefined) this.events.set(answer.id, event);
      if (answer !== undefined) this.note(event, answer);
    }
  }

  /** Returns whether it is one of these. */
  changed(answer: DebugProtocol.Breakpoint): boolean {
    const event = answer.id === undefined ? undefined : this.events.get(answer.id);
    if (event !== undefined) this.note(event, answer);
    return event !== undefined;
  }

  private note(event: string, { verified, message }: DebugProtocol.Breakpoint): void {
    if (verified && message === undefined) this.problems.delete(event);
    else this.problems.set(event, message ?? "The debugger did not set this breakpoint.");
  }

  /** Why it does not stop, in a sentence. */
  problem(event: string): string | undefined {
    return this.problems.get(event);
  }

  /** The machine stopped at these, or runs where there are none. */
  hit(ids: readonly number[]): void {
    this.hits.clear();
    for (const id of ids) {
      const event = this.events.get(id);
      if (event !== undefined) this.hits.add(event);
    }
  }

  isHit(event: string): boolean {
    return this.hits.has(event);
  }

  get hitCount(): number {
    return this.hits.size;
  }

  /** The session has ended: nobody says anything of the breakpoints. */
  forgetAnswers(): void {
    this.problems.clear();
    this.events.clear();
    this.hits.clear();
  }
}

/** A breakpoint's texts for its row. */
export function summary({ condition, hitCondition, logMessage }: EventBreakpoint): string {
  return [
    condition === undefined ? "" : `if ${condition}`,
    hitCondition === undefined ? "" : `hits ${hitCondition}`,
    logMessage === undefined ? "" : `log "${logMessage}"`,
  ]
    .filter((text) => text !== "")
    .join(" · ");
}
