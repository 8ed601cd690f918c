// Policies of invariants that are kept from session to session: which count, which are forgotten.
import { expect, test } from "vitest";
import {
  goneFrom,
  type KeptPolicy,
  policiesFor,
  without,
  withPolicy,
} from "../../extension/invariants/kept-policies.ts";

const SHIPPED: KeptPolicy = { name: "npt_protects_hypervisor", policy: "log" };
const OWN: KeptPolicy = { name: "small", file: "/ws/own.inv", policy: "off" };
const KEPT = [SHIPPED, OWN];

test("what is chosen last counts, and what an invariant does anyway is not kept", () => {
  const off: KeptPolicy = { ...SHIPPED, policy: "off" };
  expect(withPolicy(KEPT, off)).toEqual([OWN, off]);
  expect(withPolicy(KEPT, { ...OWN, policy: "stop" })).toEqual([SHIPPED]);
  // Of one name in two files, each has its own.
  const other: KeptPolicy = { ...OWN, file: "/ws/other.inv", policy: "log" };
  expect(withPolicy(KEPT, other)).toEqual([...KEPT, other]);
});

test("in a session count those of what it checks, where its configuration says nothing", () => {
  const files = { invariantFiles: ["own.inv"], cwd: "/ws" };
  expect(policiesFor(KEPT, files)).toEqual(KEPT);
  expect(policiesFor(KEPT, { ...files, cwd: "/elsewhere" })).toEqual([SHIPPED]);
  expect(policiesFor(KEPT, { invariantFiles: ["/ws/own.inv"] })).toEqual(KEPT);
  expect(policiesFor(KEPT, { ...files, invariants: ["small"] })).toEqual([OWN]);
  expect(policiesFor(KEPT, { ...files, invariants: false })).toEqual([]);
  expect(policiesFor(KEPT, { ...files, invariantPolicy: { small: "stop" } })).toEqual([SHIPPED]);
  expect(policiesFor(KEPT, { ...files, invariantPolicy: { "*": "stop" } })).toEqual([]);
});

test("those of a file that is only open count once the session checks it", () => {
  expect(policiesFor(KEPT, {})).toEqual([SHIPPED]);
  expect(policiesFor(KEPT, {}, ["/ws/own.inv"])).toEqual(KEPT);
  expect(policiesFor(KEPT, { invariantPolicy: { small: "stop" } }, ["/ws/own.inv"])).toEqual([
    SHIPPED,
  ]);
});

test("one is forgotten when its invariant is gone", async () => {
  const shipped = "invariant npt_protects_hypervisor on vmrun : true;";
  const texts = new Map([
    [undefined, shipped],
    ["/ws/own.inv", "// small was here\ninvariant smaller on vmrun : true;"],
  ]);
  const textOf = async (file: string | undefined) => texts.get(file) ?? "";
  expect(await goneFrom(KEPT, textOf)).toEqual([OWN]);
  expect(without(KEPT, [OWN])).toEqual([SHIPPED]);
  texts.set("/ws/own.inv", "invariant small on vmrun : true;");
  expect(await goneFrom(KEPT, textOf)).toEqual([]);
});
