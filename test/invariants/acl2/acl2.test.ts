/**
 * The exported book is certified by ACL2; its verdicts and first witnesses are ours on the same states, and
 * the page tables in those states are what ACL2's own walker finds in the raw memory.
 */

import { afterAll, beforeAll, expect, test } from "vitest";
import { Guests, type Machine } from "../../../emulator/index.ts";
import { exportBook } from "../../../invariants/acl2/export.ts";
import { stateForm } from "../../../invariants/acl2/state.ts";
import { walkForms } from "../../../invariants/acl2/walks.ts";
import { compile, elementsOf, makeFrame } from "../../../invariants/evaluate/compile.ts";
import { EventViews } from "../../../invariants/event-view.ts";
import { declaredMemory } from "../../../invariants/hypervisor-memory.ts";
import { readInvariants, type Term } from "../../../invariants/index.ts";
import type { EventFacts } from "../../../invariants/model/view.ts";
import { Tracked } from "../../../invariants/tracked.ts";
import { randomFraction, testSeed } from "../../harness/random.ts";
import { BREAKS, runWith, soundHypervisor } from "../faults.ts";
import { FIRST_TABLE, fill, MODES, TABLES } from "../random-tables.ts";
import * as small from "../small-hypervisor.ts";
import { SVM } from "../svm.ts";
import { Acl2 } from "./acl2.ts";

const SEED = testSeed();
const RANDOM_STATES = 1000;
const RANDOM_WALKS = 50;
let acl2: Acl2;
beforeAll(() => {
  acl2 = new Acl2();
});
afterAll(() => acl2.dispose());

/** What no shipped invariant asks of svm.inv's hypervisors: the words that the host changed. */
const ABOUT_CHANGES = readInvariants(
  [
    {
      path: "changes.inv",
      text: `
invariant host_changes_the_vmcb_alone on vmrun:
  forall c in changes if c.before != c.after : within(c.range, vmcb.range);`,
    },
  ],
  undefined,
).flatMap(({ invariants }) => invariants);
const ALL = [...SVM, ...ABOUT_CHANGES];

/** One judgement of ours, and the ACL2 form that judges the same. */
interface Judged {
  readonly invariant: string;
  readonly form: string;
  /** As ACL2 prints it. */
  readonly verdict: "T" | "NIL" | ":UNKNOWN";
  /** Number of the first element that breaks an outermost forall; "NIL" without one. */
  readonly witness: string;
}

interface Recorded {
  readonly judged: Judged[];
  /** Forms that are T where the walkers agree. */
  readonly walks: Set<string>;
}

/** The same descent to the outermost forall as the export's. */
function firstBad(term: Term, frame: ReturnType<typeof makeFrame>): string {
  if (term.kind !== "quantifier" || term.quantifier !== "forall") return "NIL";
  const elements = elementsOf(compile(term.collection)(frame), frame.view);
  if (!Array.isArray(elements)) return "NIL";
  const index = elements.findIndex((element) => {
    const inner = { ...frame, variables: new Map(frame.variables).set(term.variable, element) };
    return (
      (term.filter ? compile(term.filter)(inner) : true) === true &&
      compile(term.body)(inner) === false
    );
  });
  return index < 0 ? "NIL" : String(index);
}

/** The events at which the states are taken. */
const JUDGED_AT: ReadonlySet<string> = new Set(["vmrun", "exit", "exception"]);

const printed = (kind: string): Judged["verdict"] =>
  kind === "holds" ? "T" : kind === "violated" ? "NIL" : ":UNKNOWN";

/** Judges everything at each VMRUN, exit and exception of a machine from now on. */
function judgeAll(machine: Machine, { judged, walks }: Recorded): void {
  const views = new EventViews(
    machine,
    new Guests(machine),
    undefined,
    declaredMemory([small.IMAGE]),
  );
  const tracks = ALL.map((each) => new Tracked(each, undefined, true));
  const at = (event: "vmrun" | "exit" | "exception", facts: EventFacts = {}): undefined => {
    const view = views.view(event, facts);
    for (const tracked of tracks) {
      const { invariant } = tracked;
      if (!invariant.events.some(({ name }) => name === event)) continue;
      const frame = makeFrame(view, tracked.oldAt(event));
      const name = `|${invariant.name}|`;
      const bad = `|${invariant.name}-FIRST-BAD-ELEMENT|`;
      const states = `'${stateForm(invariant, frame)}`;
      tracked.check(view, { icount: 0, exitNumber: 0, rip: undefined });
      for (const walk of walkForms(invariant, frame)) walks.add(walk);
      judged.push({
        invariant: invariant.name,
        form: `(list (${name} ${states}) (${bad} ${states}))`,
        verdict: printed(tracked.verdict?.kind ?? ""),
        witness: firstBad(invariant.body, frame),
      });
    }
    if (event === "exception") return undefined;
    for (const tracked of tracks) tracked.keepOld(view);
    views.changes.keep(event);
    if (event === "vmrun") views.tlb.vmrun(view);
    return undefined;
  };
  machine.observe({
    name: "judge",
    on: {
      vmrunStart: (event) => {
        views.vmrunStarts(event);
        return at("vmrun");
      },
      exit: (event) => {
        views.exited(event);
        return at("exit");
      },
      physicalWrite: (event) => {
        views.written(event);
        return undefined;
      },
      exception: (raised) =>
        machine.state.guestMode === 0 ? at("exception", { raised }) : undefined,
      firstWrite: ({ page }) => {
        views.changes.firstWrite(page);
        return undefined;
      },
      poke: (event) => {
        views.poked(event);
        return undefined;
      },
    },
  });
}

/** What ACL2 says of forms that are lists, each without its brackets. */
function ask(book: string, forms: readonly string[]): string[] {
  const lines = forms.map((form) => `(cw "~%JUDGED ~x0~%" ${form})`);
  acl2.write("cases.lsp", `${lines.join("\n")}\n`);
  const output = acl2.run(
    `(include-book "${book}")\n(ld "cases.lsp" :ld-verbose nil :ld-prompt nil :ld-post-eval-print nil)`,
  );
  return [...output.matchAll(/JUDGED \(([^)]*)\)/g)].map(([, text = ""]) =>
    text.replace(/\s+/g, " "),
  );
}

/** The walks for which ACL2's walker finds something else. */
function otherWalks(walks: ReadonlySet<string>): string[] {
  const forms = [...walks];
  const answers = ask(
    "page-walk",
    forms.map((each) => `(list ${each})`),
  );
  expect(answers.length).toBe(forms.length);
  return forms.filter((_, i) => answers[i] !== "T").map((each) => each.slice(0, 1000));
}

function compare({ judged: all, walks }: Recorded): Map<string, Set<string>> {
  expect(otherWalks(walks).slice(0, 3)).toEqual([]);
  // Most states leave what most invariants read as it was.
  const judged = [...new Map(all.map((each) => [each.form, each])).values()];
  const answers = ask(
    "svm",
    judged.map(({ form }) => form),
  );
  expect(answers.length).toBe(judged.length);
  const seen = new Map<string, Set<string>>();
  const differences = judged.flatMap(({ invariant, verdict, witness, form }, i) => {
    seen.set(invariant, (seen.get(invariant) ?? new Set()).add(verdict));
    // A witness of a forall below => or && is named by the export only.
    const [acl2Verdict, acl2Witness] = (answers[i] ?? "").split(" ");
    const isSame = acl2Verdict === verdict && (witness === "NIL" || acl2Witness === witness);
    return isSame
      ? []
      : [`${invariant}: ours ${verdict} ${witness}, ACL2's ${answers[i]}: ${form.slice(0, 600)}`];
  });
  expect(differences.slice(0, 3)).toEqual([]);
  return seen;
}

test("the macro book, the walker and the exported book are certified: predicates are total, guard-correct and three-valued", () => {
  expect(acl2.certify("definvariant")).toBe("");
  expect(acl2.certify("page-walk")).toBe("");
  acl2.write("svm.lisp", exportBook(ALL));
  expect(acl2.certify("svm")).toBe("");
}, 240_000);

test("a book with a predicate that is not what it says is refused: certification can fail", () => {
  acl2.write(
    "wrong.lisp",
    '(in-package "ACL2")\n(include-book "definvariant")\n(definvariant |two| :on (vmrun) :doc "" :holds 2)\n',
  );
  expect(acl2.certify("wrong")).toMatch(/FAILED/);
});

test("verdicts and witnesses are the same on the states of every seeded fault", () => {
  const recorded: Recorded = { judged: [], walks: new Set() };
  for (const fault of [{}, ...Object.values(BREAKS)]) {
    runWith(fault, (machine) => judgeAll(machine, recorded));
  }
  expect(recorded.walks.size).toBeGreaterThan(20);
  const seen = compare(recorded);
  const judged = ALL.filter(({ events }) => events.some(({ name }) => JUDGED_AT.has(name)));
  for (const { name } of judged) {
    // A write to an MSR is an event of its own.
    if (name !== "save_area_is_the_hosts") expect(seen.get(name), name).toContain("NIL");
    expect(seen.get(name), name).toContain("T");
  }
});

test("a leaf that breaks is found behind one that is unknown", () => {
  const recorded: Recorded = { judged: [], walks: new Set() };
  const machine = soundHypervisor();
  judgeAll(machine, recorded);
  const outsideOfRam = 0x7fff_f000n;
  small.setEntry(machine, small.PML4, outsideOfRam | small.TABLE);
  small.setEntry(machine, small.PML4 + 8, BigInt(small.PDPT) | small.TABLE);
  const aroundTheImage = 0n;
  small.setEntry(machine, small.PD, aroundTheImage | small.LEAF);
  machine.observers.emit("vmrunStart", { vmcb: small.VMCB, rip: 0n });
  expect(compare(recorded).get("npt_protects_hypervisor")).toEqual(new Set(["NIL"]));
});

test(`verdicts and witnesses are the same on ${RANDOM_STATES} random states (seed ${SEED})`, () => {
  const next = randomFraction(SEED);
  const recorded: Recorded = { judged: [], walks: new Set() };
  const machine = soundHypervisor();
  judgeAll(machine, recorded);
  const pages = [small.VMCB, small.PML4, small.PDPT, small.PD];
  const sound = pages.map((page) => machine.memory.peek(page, 4096).slice());
  const pick = (from: readonly number[]): number =>
    from[Math.floor(next() * from.length)] as number;
  for (let i = 0; i < RANDOM_STATES; i++) {
    // A few changes to a sound state: what is all noise is all unknown.
    if (next() < 0.4)
      pages.forEach((page, k) => void machine.memory.poke(page, sound[k] as Uint8Array));
    const page = pick(pages);
    const words = page === small.VMCB ? 0x90 : 8;
    const noise = BigInt(Math.floor(next() * 2 ** 32)) << BigInt(Math.floor(next() * 24));
    const leaf = BigInt(Math.floor(next() * 8) * 0x20_0000) | small.LEAF;
    const entry = next() < 0.6 ? leaf : BigInt(pick(pages)) | small.TABLE;
    const value = page === small.VMCB || next() < 0.2 ? noise : entry;
    small.setEntry(machine, page + 8 * Math.floor(next() * words), value);
    machine.state.vmHsavePa = BigInt(
      next() < 0.7 ? 0x10_4000 : Math.floor(next() * 0x200) * 0x1000,
    );
    machine.observers.emit("vmrunStart", { vmcb: small.VMCB, rip: 0n });
  }
  expect(recorded.walks.size).toBeGreaterThan(RANDOM_STATES);
  const seen = compare(recorded);
  expect(seen.get("npt_protects_hypervisor")).toEqual(new Set(["T", "NIL", ":UNKNOWN"]));
}, 240_000);

/** Looks at every field of every collection of a walk. */
const ALL_FIELDS = `
invariant of_leaves on vmrun : forall m in npt(vmcb.nCR3).leaves :
  m.gpa == m.hpa && m.size == m.level && within(m.range, m.range) && size(m.gpa_range) == m.entry &&
  m.value == 0 && (m.writable || m.user || m.no_execute);
invariant of_entries on vmrun : forall e in npt(vmcb.nCR3).entries :
  e.hpa == e.gpa && e.value == e.level && (e.is_leaf || e.is_reserved || e.writable || e.user || e.no_execute);
invariant of_tables on vmrun : forall t in npt(vmcb.nCR3).tables :
  t.hpa == t.level && t.names == 1 && within(t.range, npt(vmcb.nCR3).mapped);
`;

test(`${RANDOM_WALKS} walks of random tables in each format are the same (seed ${SEED})`, () => {
  const draw = randomFraction(SEED);
  const next = (): number => Math.floor(draw() * 2 ** 32);
  const invariants = readInvariants([{ path: "all.inv", text: ALL_FIELDS }], undefined);
  const [{ invariants: all, diagnostics } = { invariants: [], diagnostics: [] }] = invariants;
  expect(diagnostics).toEqual([]);
  const walks = new Set<string>();
  const machine = soundHypervisor();
  for (const mode of MODES) {
    for (let i = 0; i < RANDOM_WALKS; i++) {
      fill(machine.memory, mode, next);
      Object.assign(machine.state, { cr4: mode.cr4, efer: mode.efer });
      small.vmcbOf(machine).write("nCR3", BigInt(FIRST_TABLE + (next() % TABLES) * 4096));
      const views = new EventViews(machine, new Guests(machine), undefined, undefined);
      views.vmrunStarts({ vmcb: small.VMCB, rip: 0n });
      const frame = makeFrame(views.view("vmrun"));
      for (const each of all.flatMap((invariant) => walkForms(invariant, frame))) walks.add(each);
      views.cache.clear();
    }
  }
  expect(walks.size).toBeGreaterThan(3 * RANDOM_WALKS * MODES.length);
  expect(otherWalks(walks).slice(0, 3)).toEqual([]);
});
