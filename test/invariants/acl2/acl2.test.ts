/** The exported book is certified by ACL2, and its verdicts and first witnesses are ours on the same states. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Guests, type Machine } from "../../../emulator/index.ts";
import { exportBook } from "../../../invariants/acl2/export.ts";
import { stateForm } from "../../../invariants/acl2/state.ts";
import { compile, elementsOf, makeFrame } from "../../../invariants/evaluate/compile.ts";
import { EventViews } from "../../../invariants/event-view.ts";
import { declaredMemory } from "../../../invariants/hypervisor-memory.ts";
import type { Term } from "../../../invariants/index.ts";
import { Tracked } from "../../../invariants/tracked.ts";
import { random } from "../../emulator/memory/fixture.ts";
import { BREAKS, runWith, soundHypervisor } from "../faults.ts";
import * as small from "../small-hypervisor.ts";
import { SVM } from "../svm.ts";
import { Acl2 } from "./acl2.ts";

const SEED = Number(process.env.SEED ?? Date.now() % 1e9);
const RANDOM_STATES = 1000;
let acl2: Acl2;
beforeAll(() => {
  acl2 = new Acl2();
});
afterAll(() => acl2.dispose());

/** One judgement of ours, and the ACL2 form that judges the same. */
interface Judged {
  readonly invariant: string;
  readonly form: string;
  /** As ACL2 prints it. */
  readonly verdict: "T" | "NIL" | ":UNKNOWN";
  /** Number of the first element that breaks an outermost forall; "NIL" without one. */
  readonly witness: string;
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

const printed = (kind: string): Judged["verdict"] =>
  kind === "holds" ? "T" : kind === "violated" ? "NIL" : ":UNKNOWN";

/** Judges everything at each VMRUN and exit of a machine from now on. */
function judgeAll(machine: Machine, into: Judged[]): void {
  const views = new EventViews(
    machine,
    new Guests(machine),
    undefined,
    declaredMemory([small.IMAGE]),
  );
  const tracks = SVM.map((each) => new Tracked(each, undefined, true));
  const at = (event: "vmrun" | "exit"): undefined => {
    const view = views.view(event);
    for (const tracked of tracks) {
      const { invariant } = tracked;
      if (!invariant.events.some(({ name }) => name === event)) continue;
      const frame = makeFrame(view, tracked.oldAt(event));
      const name = `|${invariant.name}|`;
      const bad = `|${invariant.name}-FIRST-BAD-ELEMENT|`;
      const states = `'${stateForm(invariant, frame)}`;
      tracked.check(view, { icount: 0, exitNumber: 0, rip: undefined });
      into.push({
        invariant: invariant.name,
        form: `(list (${name} ${states}) (${bad} ${states}))`,
        verdict: printed(tracked.verdict?.kind ?? ""),
        witness: firstBad(invariant.body, frame),
      });
    }
    for (const tracked of tracks) tracked.keepOld(view);
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
      poke: (event) => {
        views.poked(event);
        return undefined;
      },
    },
  });
}

/** What ACL2 says of the forms: verdict and witness of each. */
function ask(judged: readonly Judged[]): string[] {
  const lines = judged.map(({ form }) => `(cw "~%JUDGED ~x0~%" ${form})`);
  acl2.write("cases.lsp", `${lines.join("\n")}\n`);
  const output = acl2.run(
    '(include-book "svm")\n(ld "cases.lsp" :ld-verbose nil :ld-prompt nil :ld-post-eval-print nil)',
  );
  return [...output.matchAll(/JUDGED \(([^)]*)\)/g)].map(([, text = ""]) =>
    text.replace(/\s+/g, " "),
  );
}

function compare(all: readonly Judged[]): Map<string, Set<string>> {
  // Most states leave what most invariants read as it was.
  const judged = [...new Map(all.map((each) => [each.form, each])).values()];
  const answers = ask(judged);
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

test("the macro book and the exported book are certified: predicates are total, guard-correct and three-valued", () => {
  expect(acl2.certify("definvariant")).toBe("");
  acl2.write("svm.lisp", exportBook(SVM));
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
  const judged: Judged[] = [];
  for (const fault of [{}, ...Object.values(BREAKS)]) {
    runWith(fault, (machine) => judgeAll(machine, judged));
  }
  const seen = compare(judged);
  for (const name of Object.keys(BREAKS)) {
    // A write to an MSR is an event of its own.
    if (name !== "save_area_is_the_hosts") expect(seen.get(name), name).toContain("NIL");
    expect(seen.get(name), name).toContain("T");
  }
});

test(`verdicts and witnesses are the same on ${RANDOM_STATES} random states (seed ${SEED})`, () => {
  const next = random(SEED);
  const judged: Judged[] = [];
  const machine = soundHypervisor();
  judgeAll(machine, judged);
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
  const seen = compare(judged);
  expect(seen.get("npt_protects_hypervisor")).toEqual(new Set(["T", "NIL", ":UNKNOWN"]));
}, 240_000);
