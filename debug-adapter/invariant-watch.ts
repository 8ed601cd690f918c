/** Checks invariants on the running machine, stops at a violation and looks for its culprit. */
import { compareInstants, RESET } from "../emulator/index.ts";
import {
  type AttachedInvariants,
  attachInvariants,
  blame,
  type CheckedInvariant,
  type InvariantText,
  lineColumn,
  Program,
  type ResolvedFile,
  readExpression,
  readInvariants,
  SHIPPED_INVARIANTS,
  type Violation,
} from "../invariants/index.ts";
import type { BootPlan } from "./boot.ts";
import { CulpritSearches } from "./culprit-searches.ts";
import type { Debuggee } from "./debuggee.ts";
import type { Stop } from "./execution.ts";
import type {
  InvariantPolicies,
  InvariantPolicy,
  InvariantProblem,
  InvariantStatus,
  SourceLine,
  ViolationBody,
} from "./protocol.ts";
import type { Services } from "./services.ts";
import { hex, UserError } from "./text.ts";
import { type SeenViolation, ViolationHistory } from "./violation-history.ts";

export interface InvariantEvents {
  /** Within an instruction: the machine stops behind it. */
  violated(stop: Stop): void;
  /** A violation that does not stop, one sentence. */
  logged(text: string): void;
  /** The search for the culprit has ended. */
  explained(body: ViolationBody): void;
  /** Something about the files, one sentence. */
  told(text: string): void;
  changed(statuses: InvariantStatus[]): void;
  /** The past is searched for stops. */
  readonly isSearching: boolean;
}

const FOLLOWER = "invariants";
/** Between two `changed` events of a machine that runs. */
const PACE_MS = 500;

export class InvariantWatch {
  private readonly services: Services;
  private readonly plan: BootPlan;
  private readonly debuggee: Debuggee;
  private readonly events: InvariantEvents;
  private readonly program: Program | undefined;
  private readonly searches: CulpritSearches;
  private readonly history = new ViolationHistory();
  private texts: readonly InvariantText[];
  private policies: InvariantPolicies;
  /** Those of the session, whatever their policy. */
  private invariants: readonly CheckedInvariant[] = [];
  private attached: AttachedInvariants | undefined;
  /** What each says, by its name. */
  private readonly identities = new Map<string, string>();
  /** Those that were checked from reset on: where they were violated first is known. */
  private checkedAlways: ReadonlySet<string> = new Set();
  /** While the past is searched for violations. */
  private meet: ((violation: Violation) => void) | undefined;
  /** Grows with what changes statuses beside the attached ones, and what was told last. */
  private revision = 0;
  private told = "";
  private toldAt = Number.NEGATIVE_INFINITY;

  /** Throws a UserError for an unknown invariant or a range that means nothing. */
  constructor(services: Services, plan: BootPlan, debuggee: Debuggee, events: InvariantEvents) {
    this.services = services;
    this.plan = plan;
    this.debuggee = debuggee;
    this.events = events;
    this.texts = plan.invariantTexts;
    this.policies = plan.configuration.invariantPolicy;
    this.searches = new CulpritSearches(services, plan, debuggee, (seen) => this.explain(seen));
    const host = debuggee.images.all.find(({ world }) => world === "host");
    const { kernelElf } = plan;
    if (host !== undefined && kernelElf !== undefined) {
      this.program = Program.of(host.symbols, host.path, kernelElf);
    }
    if (plan.configuration.invariants === false) return;
    for (const { path, diagnostics } of this.attach()) {
      for (const each of this.problemsOf(path, diagnostics)) {
        if (each.severity === "error")
          events.told(`${path}:${each.line}:${each.column}: ${each.message}.`);
      }
    }
    const unknown = this.unknownNames(this.policies);
    if (unknown.length > 0)
      events.told(`Launch attribute "invariantPolicy": ${noInvariant(unknown, this.invariants)}.`);
    debuggee.timeline?.follow({
      name: FOLLOWER,
      version: this.attached?.version ?? "",
      save: () => this.attached?.save(),
      restore: (saved) => this.attached?.restore(saved),
      record: (saved) => this.attached?.record(saved),
      recall: (plain) => this.attached?.recall(plain),
      forked: (left) => this.history.forked(left, debuggee.machine.icount),
      switched: (left, next) => this.history.switched(left, next),
      dropped: (future) => this.history.dropped(future),
    });
  }

  status(): InvariantStatus[] {
    const attached = new Map((this.attached?.status() ?? []).map((each) => [each.name, each]));
    return this.invariants.map(({ name, doc, source, file, span }) => {
      const { state, checked, lastExit, reason } = attached.get(name) ?? UNCHECKED;
      const seen = this.history.last(name);
      return {
        ...{ name, verdict: state, checks: checked, doc },
        ...(source === undefined ? {} : { source }),
        ...(lastExit === undefined ? {} : { lastExit }),
        ...(reason === undefined ? {} : { reason }),
        at: this.placeOf(file, span.start),
        policy: this.policyOf(name),
        ...(seen === undefined ? {} : { violation: this.bodyOf(seen) }),
      };
    });
  }

  /** Tells the statuses, if they have changed since they were told last. */
  tell(): void {
    const now = `${this.revision} ${this.attached?.revision}`;
    if (now === this.told || this.invariants.length === 0) return;
    this.told = now;
    this.toldAt = this.services.now();
    this.events.changed(this.status());
  }

  /** The same, but not more often than a view can be drawn. */
  tellSometimes(): void {
    if (this.services.now() - this.toldAt >= PACE_MS) this.tell();
  }

  /** Checks these files too from now on, each for the one of its path: what says the same goes on. */
  replace(texts: readonly InvariantText[]): InvariantProblem[] {
    if (this.plan.configuration.invariants === false) return [];
    const kept = this.texts.filter(({ path }) => !texts.some((each) => each.path === path));
    const files = this.attach([...kept, ...texts]);
    this.attached?.checkNew();
    return files.flatMap(({ path, diagnostics }) => this.problemsOf(path, diagnostics));
  }

  /** What an expression is worth as the machine stands. Throws a UserError for what is none. */
  evaluate(expression: string): { readonly value: string } | { readonly unknown: string } {
    if (this.attached === undefined)
      throw new UserError('No invariants are checked: launch with "invariants": true.');
    try {
      return this.attached.valueOf(readExpression(expression, this.texts, this.program));
    } catch (caught) {
      if (!(caught instanceof RangeError)) throw caught;
      throw new UserError(`${caught.message}.`.replace("?.", "?"));
    }
  }

  /** With "*" all are set anew, without it those named. Throws a UserError for an unknown invariant. */
  setPolicies(policies: InvariantPolicies): void {
    const unknown = this.unknownNames(policies);
    if (unknown.length > 0) throw new UserError(`${noInvariant(unknown, this.invariants)}.`);
    this.policies = "*" in policies ? policies : { ...this.policies, ...policies };
    if (this.invariants.length > 0) this.attach();
  }

  /**
   * Where one of the invariants, or any, was violated first: the icount, "none", or undefined where
   * that is not known. Throws a UserError for an unknown invariant.
   */
  firstSeen(invariant: string | undefined): number | "none" | undefined {
    const names = invariant === undefined ? this.activeNames() : [this.checkedName(invariant)];
    if (names.some((name) => !this.checkedAlways.has(name))) return undefined;
    const seen = names.flatMap((name) => this.history.first(name) ?? []);
    return seen.length === 0 ? "none" : Math.min(...seen.map(({ violation }) => violation.icount));
  }

  /** Where it turned false last, as far as that was seen. Throws a UserError for an unknown invariant. */
  lastSeen(invariant: string): SeenViolation | undefined {
    return this.history.last(this.checkedName(invariant));
  }

  /** Tells `meet` of violations of one of the invariants, or of any, until it is released. */
  meetWith(meet: (violation: Violation) => void, invariant: string | undefined): () => void {
    this.meet = (violation) => {
      if (invariant === undefined || violation.invariant === invariant) meet(violation);
    };
    return () => {
      this.meet = undefined;
    };
  }

  /** A search has led to a violation: it counts as seen, and its culprit is looked for. */
  met(violation: Violation): void {
    this.searches.start(this.note(violation));
  }

  culpritOf(seen: SeenViolation): ReturnType<CulpritSearches["finish"]> {
    return this.searches.finish(seen);
  }

  dispose(): void {
    this.searches.dispose();
    this.debuggee.timeline?.unfollow(FOLLOWER);
    this.attached?.detach();
    this.attached = undefined;
  }

  private activeNames(): string[] {
    return this.invariants.map(({ name }) => name).filter((name) => this.policyOf(name) !== "off");
  }

  /** Throws a UserError for one that is not checked. */
  private checkedName(name: string): string {
    if (this.unknownNames({ [name]: "stop" }).length > 0)
      throw new UserError(`${noInvariant([name], this.invariants)}.`);
    if (this.policyOf(name) === "off") throw new UserError(`${name} is off, and not checked.`);
    return name;
  }

  private policyOf(name: string): InvariantPolicy {
    return this.policies[name] ?? this.policies["*"] ?? "stop";
  }

  private unknownNames(policies: InvariantPolicies): string[] {
    const names = new Set(this.invariants.map(({ name }) => name));
    return Object.keys(policies).filter((each) => each !== "*" && !names.has(each));
  }

  /** In the place of what is attached, which stays where this throws. */
  private attach(texts = this.texts): ResolvedFile[] {
    const { plan, debuggee, program, attached: before } = this;
    const files = readInvariants(texts, program);
    const invariants = wanted(files, plan.configuration.invariants);
    const isRecorded = plan.recorded !== undefined;
    const isAtReset =
      before === undefined && !isRecorded && compareInstants(debuggee.machine.instant, RESET) === 0;
    const attached = attachedTo(debuggee.machine, {
      invariants: invariants.filter(({ name }) => this.policyOf(name) !== "off"),
      program,
      guests: debuggee.spaces.guests,
      ...declaredMemory(plan, files),
      ...(before === undefined ? {} : { continues: before.save() }),
      stopOnViolation: () => true,
      onViolation: (violation) => this.violated(violation),
    });
    before?.detach();
    this.attached = attached;
    this.invariants = invariants;
    this.texts = texts;
    const always = new Set<string>();
    for (const { name, identity } of attached.status()) {
      const isSame = this.identities.get(name) === identity;
      if (isAtReset || (isSame && this.checkedAlways.has(name))) always.add(name);
      this.identities.set(name, identity);
      this.history.keepIfSame(name, identity);
    }
    this.checkedAlways = always;
    this.revision++;
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
    this.meet?.(violation);
    if (timeline?.isReplaying && !isSearching) return;
    const { invariant } = violation;
    const stops = this.policyOf(invariant) === "stop";
    if (isSearching) {
      if (stops) this.events.violated(stopAtViolation(violation));
      return;
    }
    const isKnown = this.history.first(invariant) !== undefined;
    const seen = this.note(violation);
    if (stops) this.events.violated(stopAtViolation(violation));
    else this.events.logged(logLine(violation, this.bodyOf(seen).vmrun));
    // What is broken and mended all the time is explained once, where it does not stop.
    if (stops || !isKnown) this.searches.start(seen);
  }

  private note(violation: Violation): SeenViolation {
    this.revision++;
    return this.history.note(violation, this.identities.get(violation.invariant) ?? "");
  }

  private explain(seen: SeenViolation): void {
    this.revision++;
    this.events.explained(this.bodyOf(seen));
    this.tellSometimes();
  }

  private bodyOf({ violation, culprit: found }: SeenViolation): ViolationBody {
    const { images } = this.debuggee;
    const { invariant, message, expected, actual, icount, exitNumber: exit, lastGood } = violation;
    const {
      remark,
      lastGood: lastGoodAt,
      ...lines
    } = blame(violation, found, (world, rip) => images.sourceAt(world, rip));
    const written = this.invariants.find(({ name }) => name === invariant);
    return {
      ...{ invariant, expected, actual, icount, exit },
      message: remark === undefined ? message : `${message}. ${remark}`,
      ...lines,
      invariantAt: written && this.placeOf(written.file, written.span.start),
      ...(lastGood === undefined
        ? {}
        : {
            lastGoodCheck: {
              icount: lastGood.icount,
              exit: lastGood.exitNumber,
              at: lastGoodAt,
            },
          }),
    };
  }
}

/** Throws a UserError for a range that means nothing. */
function attachedTo(...given: Parameters<typeof attachInvariants>): AttachedInvariants {
  try {
    return attachInvariants(...given);
  } catch (caught) {
    if (!(caught instanceof RangeError)) throw caught;
    throw new UserError(`${caught.message}.`);
  }
}

const UNCHECKED = {
  ...{ state: "never checked", checked: 0, lastExit: undefined, reason: undefined },
} as const;

/** What was violated, as a session stops there. */
export function stopAtViolation({ invariant, message, expected, actual }: Violation): Stop {
  return {
    reason: "exception",
    description: `Paused on violation of ${invariant}`,
    text: `${message}. Expected: ${expected}. Actual: ${actual}.`,
    exception: { id: "invariant", details: `${invariant}: ${message}` },
  };
}

function logLine(violation: Violation, vmrun: SourceLine | undefined): string {
  const { invariant, message, expected, actual, icount, exitNumber, witness } = violation;
  const at = vmrun === undefined ? "" : ` at ${vmrun.path}:${vmrun.line}`;
  const bytes =
    witness === undefined
      ? ""
      : ` Witness: hpa:${hex(BigInt(witness.first))}, ${witness.bytes} bytes, ${hex(witness.value)}.`;
  return `${invariant} is violated${at}, icount ${icount}, exit ${exitNumber}: ${message}. Expected: ${expected}. Actual: ${actual}.${bytes}`;
}

/** What the launch attributes and the files declare hv.memory to be. */
function declaredMemory({ configuration }: BootPlan, files: readonly ResolvedFile[]) {
  const memory = [
    ...configuration.hypervisorMemory.map(({ start, end }) => ({
      first: start,
      bytes: end - start,
    })),
    ...files
      .flatMap((file) => file.memory)
      .map(({ first, end }) => ({ first: Number(first), bytes: Number(end - first) })),
  ];
  return memory.length === 0 ? {} : { hypervisorMemory: memory };
}

/** Those that the launch attribute asks for. Throws a UserError for a name that there is not. */
function wanted(
  files: readonly ResolvedFile[],
  which: boolean | readonly string[],
): CheckedInvariant[] {
  const all = files.flatMap(({ invariants }) => invariants);
  if (typeof which === "boolean") return which ? all : [];
  const unknown = which.filter((name) => !all.some((each) => each.name === name));
  if (unknown.length > 0)
    throw new UserError(`Launch attribute "invariants": ${noInvariant(unknown, all)}.`);
  return all.filter(({ name }) => which.includes(name));
}

function noInvariant(names: readonly string[], all: readonly CheckedInvariant[]): string {
  const quoted = names.map((each) => `"${each}"`).join(", ");
  const known =
    all.length === 0 ? "none is checked" : `there are ${all.map(({ name }) => name).join(", ")}`;
  return `There is no invariant ${quoted}; ${known}`;
}
