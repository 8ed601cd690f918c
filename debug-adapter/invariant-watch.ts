/** Checks invariants on the running machine, stops at a violation and looks for its culprit. */
import {
  type AttachedInvariants,
  attachInvariants,
  type CheckedInvariant,
  type Culprit,
  findCulprit,
  type InvariantText,
  lineColumn,
  Program,
  type ResolvedFile,
  readInvariants,
  SHIPPED_INVARIANTS,
  type Violation,
} from "../invariants/index.ts";
import { type BootPlan, bootMachine } from "./boot.ts";
import type { Debuggee } from "./debuggee.ts";
import type { Stop } from "./execution.ts";
import type { InvariantProblem, InvariantStatus, SourceLine, ViolationBody } from "./protocol.ts";
import type { Services } from "./services.ts";
import { messageOf, UserError } from "./text.ts";

export interface InvariantEvents {
  /** Within an instruction: the machine stops behind it. */
  violated(stop: Stop): void;
  /** The search for the culprit has ended. */
  explained(body: ViolationBody): void;
  /** Something about the files, one sentence. */
  told(text: string): void;
  /** The past is searched for stops. */
  readonly isSearching: boolean;
}

export class InvariantWatch {
  private readonly services: Services;
  private readonly plan: BootPlan;
  private readonly debuggee: Debuggee;
  private readonly events: InvariantEvents;
  private readonly program: Program | undefined;
  private texts: readonly InvariantText[];
  private attached: AttachedInvariants | undefined;
  private readonly searches = new Set<() => void>();

  /** Throws a UserError for an unknown invariant or a range that means nothing. */
  constructor(services: Services, plan: BootPlan, debuggee: Debuggee, events: InvariantEvents) {
    this.services = services;
    this.plan = plan;
    this.debuggee = debuggee;
    this.events = events;
    this.texts = plan.invariantTexts;
    const host = debuggee.images.all.find(({ world }) => world === "host");
    const { kernelElf } = plan;
    if (host !== undefined && kernelElf !== undefined) {
      this.program = Program.of(host.symbols, host.path, kernelElf);
    }
    for (const { path, diagnostics } of this.attach()) {
      for (const each of this.problemsOf(path, diagnostics)) {
        if (each.severity === "error")
          this.events.told(`${path}:${each.line}:${each.column}: ${each.message}.`);
      }
    }
  }

  status(): InvariantStatus[] {
    return (this.attached?.status() ?? []).map((each) => {
      const { name, doc, source, state, checked, lastExit, reason } = each;
      return {
        ...{ name, verdict: state, checks: checked, doc },
        ...(source === undefined ? {} : { source }),
        ...(lastExit === undefined ? {} : { lastExit }),
        ...(reason === undefined ? {} : { reason }),
        at: this.placeOf(each.file, each.span.start),
      };
    });
  }

  /** Checks these files too from now on, each for the one of its path: verdicts begin anew. */
  replace(texts: readonly InvariantText[]): InvariantProblem[] {
    const kept = this.texts.filter(({ path }) => !texts.some((each) => each.path === path));
    this.texts = [...kept, ...texts];
    this.detach();
    const files = this.attach();
    this.attached?.recheck();
    return files.flatMap(({ path, diagnostics }) => this.problemsOf(path, diagnostics));
  }

  dispose(): void {
    for (const cancel of this.searches) cancel();
    this.searches.clear();
    this.detach();
  }

  private detach(): void {
    this.debuggee.timeline?.unfollow("invariants");
    this.attached?.detach();
    this.attached = undefined;
  }

  private attach(): ResolvedFile[] {
    const { plan, debuggee, program } = this;
    const { invariants: wanted } = plan.configuration;
    if (wanted === false) return [];
    const files = readInvariants(this.texts, program);
    const memory = [
      ...plan.configuration.hypervisorMemory.map(({ start, end }) => ({
        first: start,
        bytes: end - start,
      })),
      ...files
        .flatMap((file) => file.memory)
        .map(({ first, end }) => ({ first: Number(first), bytes: Number(end - first) })),
    ];
    const all = files.flatMap(({ invariants }) => invariants);
    try {
      this.attached = attachInvariants(debuggee.machine, {
        invariants: wanted === true ? all : wanted.map((name) => named(name, all)),
        program,
        guests: debuggee.spaces.guests,
        ...(memory.length === 0 ? {} : { hypervisorMemory: memory }),
        stopOnViolation: () => true,
        onViolation: (violation) => this.violated(violation),
      });
    } catch (caught) {
      if (!(caught instanceof RangeError)) throw caught;
      throw new UserError(`Launch attribute "invariants": ${caught.message}.`);
    }
    debuggee.timeline?.follow("invariants", this.attached);
    return files;
  }

  private problemsOf(path: string, diagnostics: ResolvedFile["diagnostics"]): InvariantProblem[] {
    const text = this.texts.find((each) => each.path === path)?.text ?? "";
    return diagnostics.map(({ severity, message, start }) => {
      return { path, ...lineColumn(text, start), severity, message };
    });
  }

  /** Undefined for the files that are shipped: they lie in no folder of the user's. */
  private placeOf(path: string, offset: number): SourceLine | undefined {
    if (SHIPPED_INVARIANTS.some((each) => each.path === path)) return undefined;
    const text = this.texts.find((each) => each.path === path)?.text ?? "";
    return { path, line: lineColumn(text, offset).line };
  }

  private violated(violation: Violation): void {
    const { timeline } = this.debuggee;
    const { isSearching } = this.events;
    if (timeline?.isReplaying && !isSearching) return;
    const { invariant, message, expected, actual } = violation;
    this.events.violated({
      reason: "exception",
      description: `Paused on violation of ${invariant}`,
      text: `${message}. Expected: ${expected}. Actual: ${actual}.`,
      exception: { id: "invariant", details: `${invariant}: ${message}` },
    });
    if (!isSearching) this.search(violation);
  }

  /** Replays from reset beside the session, a slice at a time. */
  private search(violation: Violation): void {
    let steps: ReturnType<typeof findCulprit> | undefined;
    let cancel = () => {};
    const inputs = [...(this.debuggee.timeline?.inputs.all ?? [])];
    const stop = () => cancel();
    const finish = (culprit: Culprit) => {
      this.searches.delete(stop);
      this.explain(violation, culprit);
    };
    const advance = () => {
      try {
        steps ??= findCulprit(() => bootMachine(this.plan), violation, inputs);
        const { done, value } = steps.next();
        if (done) finish(value);
        else cancel = this.services.schedule(advance, 0);
      } catch (caught) {
        finish({ kind: "diverged", reason: messageOf(caught) });
      }
    };
    this.searches.add(stop);
    cancel = this.services.schedule(advance, 0);
  }

  private explain(violation: Violation, culprit: Culprit): void {
    const { images } = this.debuggee;
    const { invariant, expected, actual, icount, vmrunRip, exitNumber: exit } = violation;
    const line = (world: "host" | "guest", rip: bigint): SourceLine | undefined => {
      const found = images.sourceAt(world, rip);
      return found && { path: found.path, line: found.line };
    };
    const status = this.attached?.status().find(({ name }) => name === invariant);
    this.events.explained({
      ...{ invariant, expected, actual, icount, exit },
      message: violation.message + REMARKS[culprit.kind](culprit),
      culprit: culprit.kind === "write" ? line(culprit.world, culprit.rip) : undefined,
      vmrun: vmrunRip === undefined ? undefined : line("host", vmrunRip),
      invariantAt: status && this.placeOf(status.file, status.span.start),
    });
  }
}

const REMARKS: { readonly [K in Culprit["kind"]]: (culprit: Culprit) => string } = {
  write: () => "",
  neverSet: () => ". Never set: nothing has written it since reset",
  registers: () => "",
  diverged: (culprit) =>
    culprit.kind === "diverged" ? `. Its writer was not found: ${culprit.reason}` : "",
};

function named(name: string, all: readonly CheckedInvariant[]): CheckedInvariant {
  const found = all.find((invariant) => invariant.name === name);
  if (found !== undefined) return found;
  const names = all.map((invariant) => invariant.name).join(", ");
  throw new RangeError(`There is no invariant "${name}"; there are ${names}`);
}
