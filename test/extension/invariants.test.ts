// The view of invariants, their lenses and diagnostics: rows and words, of what the real adapter says.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { InvariantStatus, ViolationBody } from "../../debug-adapter/protocol.ts";
import { invariantAt, invariantsIn } from "../../extension/invariants/invariant-places.ts";
import { badgeOf, rowsOf, textOf } from "../../extension/invariants/invariant-tree.ts";
import { lineOf, relatedPlaces, staysTrue } from "../../extension/invariants/related-places.ts";
import {
  checkSummary,
  details,
  lensTitle,
  rowSummary,
} from "../../extension/invariants/verdicts.ts";
import { seededBugElf } from "../../scripts/build-minvisor.mjs";
import { type AdapterClient, inRepository, SAMPLE, startClient } from "../harness/dap-adapter.ts";
import { readSource } from "../tidy/sources.ts";

const status = (more: Partial<InvariantStatus>): InvariantStatus => ({
  ...{ name: "it", verdict: "holds", checks: 1204, lastExit: 733, doc: "It is so" },
  ...{ at: undefined, policy: "stop" },
  ...more,
});
const violation = (more: Partial<ViolationBody> = {}): ViolationBody => ({
  ...{ invariant: "it", message: "It is so: x is 1", expected: "x == 0", actual: "x = 1" },
  ...{ icount: 5000, exit: 12, culprit: undefined, vmrun: undefined, invariantAt: undefined },
  ...more,
});

describe("words", () => {
  test("counts and the last exit of one that holds", () => {
    expect(lensTitle(status({}))).toBe("holds · checked 1,204 times · last at exit 733");
    expect(rowSummary(status({ checks: 1, lastExit: 0 }))).toBe("checked once · last at exit 0");
  });

  test("where it was violated, also of one that holds again", () => {
    const violated = status({ verdict: "violated", violation: violation() });
    expect(lensTitle(violated)).toBe(
      "violated at exit 12 · checked 1,204 times · last at exit 733",
    );
    const mended = { ...violated, verdict: "holds" } as const;
    expect(lensTitle(mended)).toMatch(/^holds · seen violated at exit 12 · checked/);
    const early = status({ verdict: "violated", violation: violation({ exit: 0 }) });
    expect(rowSummary(early)).toMatch(/^violated before the first exit · /);
  });

  test("the policy, where it is not to stop", () => {
    expect(lensTitle(status({ policy: "log" }))).toMatch(/ · only logged$/);
    expect(lensTitle(status({ policy: "off" }))).toBe("off");
    const never = status({ verdict: "never checked", checks: 0 });
    expect(lensTitle(never)).toBe("never checked");
  });

  test("why it is unknown", () => {
    const unknown = status({ verdict: "unknown", reason: "it is not mapped", source: "APM 15.5" });
    const lines = details(unknown).split("\n");
    expect(lines).toContain("Unknown: it is not mapped");
    expect(lines).toContain("Source: APM 15.5");
  });
});

test("a check of the whole run, in a sentence", () => {
  const never = status({ name: "b", verdict: "never checked" });
  expect(checkSummary([status({}), never])).toBe(
    "2 invariants, checked on the whole recorded run: none is violated; 1 never checked.",
  );
  const violated = status({ name: "c", verdict: "violated", violation: violation() });
  expect(checkSummary([status({}), violated])).toMatch(/run: violated: c\.$/);
});

test("rows: what is wrong first, the number violated on the view", () => {
  const verdicts = ["holds", "never checked", "violated", "holds", "unknown"] as const;
  const statuses = verdicts.map((verdict, i) => status({ verdict, name: `i${i}` }));
  const groups = rowsOf(statuses);
  expect(groups.map((row) => textOf(row)).map((text) => [text.label, text.description])).toEqual([
    ["Violated", "1"],
    ["Unknown", "1"],
    ["Holds", "2"],
    ["Never checked", "1"],
  ]);
  expect(rowsOf(statuses, groups[2]).map((row) => textOf(row).label)).toEqual(["i0", "i3"]);
  expect(badgeOf(statuses)).toEqual({ value: 1, tooltip: "1 invariant is violated" });
  expect(rowsOf([])).toEqual([]);
});

test("one that the run violates elsewhere is first in its group, which counts it", () => {
  const seen = status({ name: "seen", violation: violation() });
  const statuses = [status({ name: "never" }), seen];
  const [group] = rowsOf(statuses);
  expect(group && textOf(group).description).toBe("2 · 1 seen violated");
  expect(rowsOf(statuses, group).map((row) => textOf(row).label)).toEqual(["seen", "never"]);
});

test("invariants in a text, and the one that a line belongs to", () => {
  const text = readSource("minvisor/minvisor.inv");
  const places = invariantsIn(text);
  expect(places.length).toBeGreaterThan(10);
  const lines = text.split("\n");
  for (const { name, line } of places) expect(lines[line]).toContain(`invariant ${name} on`);
  const [first, second] = places;
  expect(invariantAt(text, first!.line - 1)).toBeUndefined();
  expect(invariantAt(text, second!.line - 1)).toBe(first!.name);
  expect(invariantAt(text, second!.line)).toBe(second!.name);
});

test("beside a violation: the last good check, and the VMRUN at which it was found", () => {
  const at = { path: "/m/vmrun.S", line: 73 };
  const culprit = { path: "/m/nested_pages.c", line: 66 };
  const lastGoodCheck = { icount: 4000, exit: 11, at };
  const body = violation({ culprit, vmrun: at, lastGoodCheck });
  expect(lineOf(body)).toEqual(culprit);
  expect(relatedPlaces(body)).toEqual([
    { at, says: "The last check that found it to hold: at exit 11, after 4,000 instructions" },
    { at, says: "Found by the check at this VMRUN, at exit 12, after 5,000 instructions" },
  ]);
  const stack = [
    { name: "nested_pages_build", ...at },
    { name: "minvisor_main", path: "/main.c", line: 72 },
    { name: "#VMEXIT NPF" },
  ];
  expect(relatedPlaces(violation({ culprit: { ...at, stack } }))).toEqual([
    { at: { path: "/main.c", line: 72 }, says: "The culprit was called from minvisor_main" },
  ]);
  const neverSet = violation({ vmrun: at });
  expect(lineOf(neverSet)).toEqual(at);
  expect(relatedPlaces(neverSet)).toEqual([]);
});

test("a problem stays in the past, and goes when an edit or a new run makes the invariant hold", () => {
  const back = status({ verdict: "never checked", violation: violation() });
  expect(staysTrue("it", [status({ name: "other" }), back])).toBe(true);
  expect(staysTrue("it", [status({})])).toBe(false);
  expect(staysTrue("it", [])).toBe(false);
});

describe("the adapter, at a MinVisor that maps a part of itself", () => {
  let client: AdapterClient;
  let statuses: readonly InvariantStatus[];
  let found: ViolationBody;
  beforeAll(async () => {
    client = await startClient();
    const explained = client.waitForEvent("minvisor/violation", 60_000);
    client.on("minvisor/invariants", ({ body }: { body: { invariants: InvariantStatus[] } }) => {
      statuses = body.invariants;
    });
    await client.runTo(
      { filters: ["invariant"] },
      {
        ...SAMPLE,
        kernel: seededBugElf("wrong-region-size"),
        invariants: true,
        invariantFiles: ["minvisor/minvisor.inv"],
      },
    );
    found = (await explained).body as ViolationBody;
  }, 120_000);
  afterAll(() => client.stop());

  test("tells verdicts of which each is a row, the violated one first", () => {
    const [group] = rowsOf(statuses);
    expect(rowsOf(statuses, group).map((row) => textOf(row).label)).toEqual([
      "builder_maps_one_to_one",
    ]);
    expect(rowsOf(statuses).flatMap((row) => rowsOf(statuses, row))).toHaveLength(statuses.length);
  });

  test("tells where each is written in its file", () => {
    const places = new Map(
      invariantsIn(readSource("minvisor/minvisor.inv")).map(({ name, line }) => [name, line]),
    );
    const own = statuses.filter(({ at }) => at !== undefined);
    expect(own).toHaveLength(places.size);
    for (const { name, at } of own) expect(at!.line - 1, name).toBe(places.get(name));
  });

  test("an edit of the invariant makes it hold, and ends the problem", async () => {
    const path = inRepository("minvisor/minvisor.inv");
    const text = readSource("minvisor/minvisor.inv").replace(
      /(invariant builder_maps_one_to_one[\s\S]*?:\n)[\s\S]*?;/,
      "$1  true;",
    );
    const files = [{ path, text }];
    expect(staysTrue(found.invariant, statuses)).toBe(true);
    const answer = await client.customRequest("minvisor/setInvariants", { files });
    const { invariants } = answer.body as { invariants: InvariantStatus[] };
    expect(invariants).toHaveLength(statuses.length);
    expect(staysTrue(found.invariant, invariants)).toBe(false);
  });

  test("tells the line that the violation is a problem of", () => {
    const lines = readSource("test/seeded-bugs/wrong-region-size/nested_pages.c").split("\n");
    expect(lines[lineOf(found)!.line - 1]).toContain("// culprit");
  });
});
