/** Checks invariants on the running machine, stops at a violation and looks for its culprit. */
import { compareInstants, RESET, type SeekProgress, type Timeline } from "../../emulator/index.ts";
import {
  type AttachedInvariants,
  attachInvariants,
  type CheckedInvariant,
  type Culprit,
  type InvariantText,
  Program,
  readExpression,
  replayRun,
  type Violation,
} from "../../invariants/index.ts";
import { type BootPlan, bootMachine } from "../boot.ts";
import type { Debuggee } from "../debuggee.ts";
import type {
  CheckRunBody,
  InvariantPolicies,
  InvariantPolicy,
  InvariantProblem,
  InvariantStatus,
  ViolationBody,
} from "../protocol.ts";
import type { Stop } from "../runner.ts";
import type { Services } from "../services.ts";
import { UserError } from "../text.ts";
import { CulpritSearches } from "./culprit-searches.ts";
import { statusBody, stopAtViolation, violationBody, violationLine } from "./invariant-bodies.ts";
import { InvariantFiles, noInvariant } from "./invariant-files.ts";
import { type SeenViolation, ViolationHistory } from "./violation-history.ts";

export interface InvariantEvents {
  /** Within an instruction: the machine stops behind it, unless this says that nobody wants that. */
  violated(stop: Stop): boolean;
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
  private readonly searches: CulpritSearches;
  private readonly history = new ViolationHistory();
  private files: InvariantFiles;
  private policies: InvariantPolicies;
  /** Those that were set since the launch. */
  private chosen: InvariantPolicies = {};
  /** Undefined where the session checks none. */
  private attached: AttachedInvariants | undefined;
  /** What each says, by its name. */
  private readonly identities = new Map<string, string>();
  /** Those that were checked from reset on: where they were violated first is known. */
  private checkedAlways: ReadonlySet<string> = new Set();
  /** The same of those that a check of the whole run was about, as long as the machine is in this future. */
  private checkedWhole: ReadonlySet<string> = new Set();
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
    const { configuration, invariantTexts } = plan;
    this.policies = configuration.invariantPolicy;
    this.searches = new CulpritSearches(services, plan, debuggee, (seen) => this.explain(seen));
    this.files = new InvariantFiles(invariantTexts, configuration, programOf(plan, debuggee));
    if (configuration.invariants === false) return;
    this.attach(this.files);
    this.tellProblems();
    debuggee.timeline?.follow({
      name: FOLLOWER,
      version: this.attached?.version ?? "",
      save: () => this.attached?.save(),
      restore: (saved) => this.attached?.restore(saved),
      record: (saved) => this.attached?.record(saved),
      recall: (plain) => this.attached?.recall(plain),
      forked: (left) => this.history.forked(left, debuggee.machine.icount),
      switched: (left, next) => {
        this.checkedWhole = new Set();
        this.history.switched(left, next);
      },
      dropped: (future) => this.history.dropped(future),
    });
  }

  status(): InvariantStatus[] {
    const { files } = this;
    const attached = new Map(this.attached?.status().map((each) => [each.name, each]));
    return files.invariants.map((each) => {
      const seen = this.history.last(each.name);
      const violation = seen && this.bodyOf(seen);
      const place = { at: files.placeOf(each.name), policy: this.policyOf(each.name) };
      return statusBody(each, attached.get(each.name), { ...place, violation });
    });
  }

  /** Tells the statuses, if they have changed since they were told last. */
  tell(): void {
    const now = `${this.revision} ${this.attached?.revision}`;
    if (now === this.told || this.files.invariants.length === 0) return;
    this.told = now;
    this.toldAt = this.services.now();
    this.events.changed(this.status());
  }

  /** The same, but not more often than a view can be drawn. */
  tellSometimes(): void {
    if (this.services.now() - this.toldAt >= PACE_MS) this.tell();
  }

  /**
   * Checks these files too from now on, each for the one of its path: what says the same goes on.
   * The policies count for what is new already, as far as their invariants are there.
   */
  replace(
    texts: readonly InvariantText[],
    policies: InvariantPolicies,
  ): readonly InvariantProblem[] {
    if (this.attached === undefined) return [];
    const files = this.files.with(texts);
    this.choose(knownIn(policies, files));
    this.attach(files);
    this.attached.checkNew();
    return this.files.problems;
  }

  /** What an expression is worth as the machine stands. Throws a UserError for what is none. */
  evaluate(expression: string): { readonly value: string } | { readonly unknown: string } {
    if (this.attached === undefined)
      throw new UserError('No invariants are checked: launch with "invariants": true.');
    try {
      const { texts, program } = this.files;
      return this.attached.valueOf(readExpression(expression, texts, program));
    } catch (caught) {
      if (!(caught instanceof RangeError)) throw caught;
      throw new UserError(`${caught.message}.`.replace("?.", "?"));
    }
  }

  /** With "*" all are set anew, without it those named. Throws a UserError for an unknown invariant. */
  setPolicies(policies: InvariantPolicies): void {
    const unknown = this.unknownIn(policies);
    if (unknown !== undefined) throw new UserError(`${unknown}.`);
    this.choose(policies);
    if (this.attached !== undefined) this.attach(this.files);
  }

  /** As they were set in the session's last run, as far as their invariants are still there. */
  takePolicies({ chosen }: InvariantWatch): void {
    const still = knownIn(chosen, this.files);
    if (Object.keys(still).length > 0) this.setPolicies(still);
  }

  /**
   * The whole recorded run, checked anew on a machine of its own, with these files for those of
   * their paths. What it finds of the invariants of the session counts as seen.
   */
  *checkRun(
    timeline: Timeline,
    texts: readonly InvariantText[],
    stopAtFirst: boolean,
  ): Generator<SeekProgress, CheckRunBody, undefined> {
    const files = this.files.with(texts);
    const run = {
      makeMachine: () => bootMachine(this.plan),
      inputs: [...timeline.inputs.all],
      end: timeline.endOfTime,
    };
    const checks = { ...this.checksOf(files), stopAtFirst };
    const { status, violations } = yield* replayRun(run, checks);
    const found = new Map<string, SeenViolation>();
    for (const violation of violations) {
      const seen: SeenViolation = { violation, culprit: undefined };
      seen.culprit = yield* this.searches.search(seen);
      found.set(violation.invariant, seen);
    }
    const checked = new Map(status.map((each) => [each.name, each]));
    const invariants = files.invariants.map((each) => {
      const { name } = each;
      const [finding, state] = [found.get(name), checked.get(name)];
      const isSame = state !== undefined && state.identity === this.identities.get(name);
      if (isSame && !stopAtFirst) this.checkedWhole = new Set([...this.checkedWhole, name]);
      if (finding && isSame) {
        const seen = this.note(finding.violation);
        seen.culprit = finding.culprit;
        seen.stack = finding.stack;
      }
      const violation = finding && violationBody(finding, files, this.debuggee.images);
      const place = { at: files.placeOf(name), policy: this.policyOf(name) };
      return statusBody(each, state, { ...place, violation });
    });
    return { problems: files.problems, invariants };
  }

  /**
   * Where one of the invariants, or any, was violated first: the icount, "none", or undefined where
   * that is not known. Throws a UserError for an unknown invariant.
   */
  firstSeen(invariant: string | undefined): number | "none" | undefined {
    const names = invariant === undefined ? this.activeNames() : [this.checkedName(invariant)];
    const isKnown = (name: string) => this.checkedAlways.has(name) || this.checkedWhole.has(name);
    if (!names.every(isKnown)) return undefined;
    const seen = names.flatMap((name) => this.history.first(name) ?? []);
    return seen.length === 0 ? "none" : Math.min(...seen.map(({ violation }) => violation.icount));
  }

  /** Where it turned false last, as far as that was seen. */
  lastSeen(invariant: string): SeenViolation | undefined {
    return this.history.last(invariant);
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

  /** As `meetWith`, of what the next instruction violates before it runs: nobody has looked there at the end. */
  metNext(invariant: string | undefined): Violation | undefined {
    let met: Violation | undefined;
    const release = this.meetWith((violation) => {
      met ??= violation;
    }, invariant);
    this.attached?.judgeNext();
    release();
    return met;
  }

  /** A search has led to a violation: it counts as seen, and its culprit is looked for. */
  met(violation: Violation): SeenViolation {
    const seen = this.note(violation);
    this.searches.start(seen);
    return seen;
  }

  culpritOf(seen: SeenViolation): Generator<SeekProgress, Culprit> {
    return this.searches.finish(seen);
  }

  dispose(): void {
    this.searches.dispose();
    this.debuggee.timeline?.unfollow(FOLLOWER);
    this.attached?.detach();
    this.attached = undefined;
  }

  private choose(policies: InvariantPolicies): void {
    const isAll = "*" in policies;
    this.policies = isAll ? policies : { ...this.policies, ...policies };
    this.chosen = isAll ? policies : { ...this.chosen, ...policies };
  }

  private tellProblems(): void {
    for (const { path, line, column, message, severity } of this.files.problems) {
      if (severity === "error") this.events.told(`${path}:${line}:${column}: ${message}.`);
    }
    const unknown = this.unknownIn(this.policies);
    if (unknown !== undefined) this.events.told(`Launch attribute "invariantPolicy": ${unknown}.`);
  }

  private unknownIn(policies: InvariantPolicies): string | undefined {
    const { invariants } = this.files;
    const known = knownIn(policies, this.files);
    const unknown = Object.keys(policies).filter((name) => !(name in known));
    return unknown.length === 0 ? undefined : noInvariant(unknown, invariants);
  }

  private activeNames(): string[] {
    return this.active(this.files).map(({ name }) => name);
  }

  private active({ invariants }: InvariantFiles): readonly CheckedInvariant[] {
    return invariants.filter(({ name }) => this.policyOf(name) !== "off");
  }

  /** Throws a UserError for one that is not checked. */
  private checkedName(name: string): string {
    const unknown = this.unknownIn({ [name]: "stop" });
    if (unknown !== undefined) throw new UserError(`${unknown}.`);
    if (this.policyOf(name) === "off") throw new UserError(`${name} is off, and not checked.`);
    return name;
  }

  private policyOf(name: string): InvariantPolicy {
    return this.policies[name] ?? this.policies["*"] ?? "stop";
  }

  private checksOf(files: InvariantFiles) {
    const { program, hypervisorMemory } = files;
    return {
      ...{ invariants: this.active(files), program },
      ...(hypervisorMemory === undefined ? {} : { hypervisorMemory }),
    };
  }

  /** In the place of what is attached, which stays where this throws. */
  private attach(files: InvariantFiles): void {
    const { plan, debuggee, attached: before } = this;
    const isNew = before === undefined && plan.recorded === undefined;
    const isAtReset = isNew && compareInstants(debuggee.machine.instant, RESET) === 0;
    const attached = attachedTo(debuggee.machine, {
      ...this.checksOf(files),
      guests: debuggee.spaces.guests,
      ...(before === undefined ? {} : { continues: before.save() }),
      stopOnViolation: () => true,
      onViolation: (violation) => this.violated(violation),
    });
    before?.detach();
    this.attached = attached;
    this.files = files;
    const [always, whole] = [new Set<string>(), new Set<string>()];
    for (const { name, identity } of attached.status()) {
      const isSame = this.identities.get(name) === identity;
      if (isAtReset || (isSame && this.checkedAlways.has(name))) always.add(name);
      if (isSame && this.checkedWhole.has(name)) whole.add(name);
      this.identities.set(name, identity);
      this.history.keepIfSame(name, identity);
    }
    this.checkedAlways = always;
    this.checkedWhole = whole;
    this.revision++;
  }

  private violated(violation: Violation): void {
    const { isSearching } = this.events;
    const isReplaying = this.debuggee.timeline?.isReplaying === true;
    const isRepeated = isReplaying || this.meet !== undefined;
    const stops = this.policyOf(violation.invariant) === "stop";
    this.meet?.(violation);
    if (isSearching) {
      if (stops) this.events.violated(stopAtViolation(violation));
      return;
    }
    const isKnown = this.history.first(violation.invariant) !== undefined;
    const seen = this.note(violation);
    const isStop = !isRepeated && stops && this.events.violated(stopAtViolation(violation));
    if (!isRepeated && !isStop)
      this.events.logged(violationLine(violation, this.bodyOf(seen).vmrun));
    // What is broken and mended all the time is explained once, where it does not stop.
    if (isStop || !isKnown) this.searches.start(seen);
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

  private bodyOf(seen: SeenViolation): ViolationBody {
    return violationBody(seen, this.files, this.debuggee.images);
  }
}

/** Those of "*" and of invariants that are there. */
function knownIn(policies: InvariantPolicies, { invariants }: InvariantFiles): InvariantPolicies {
  const names = new Set(["*", ...invariants.map(({ name }) => name)]);
  return Object.fromEntries(Object.entries(policies).filter(([name]) => names.has(name)));
}

/** Undefined without a host's program that is an ELF file. */
function programOf({ kernelElf }: BootPlan, { images }: Debuggee): Program | undefined {
  const host = images.all.find(({ world }) => world === "host");
  return host && kernelElf && Program.of(host.symbols, host.path, kernelElf);
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
