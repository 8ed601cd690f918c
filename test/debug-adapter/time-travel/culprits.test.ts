// Seeded bugs of different kinds: back to the culprit, to the first violation, and the whole run checked anew.
import { expect, test } from "vitest";
import type {
  CheckRunBody,
  InvariantStatus,
  ViolationBody,
} from "../../../debug-adapter/protocol.ts";
import { HOSTILE_GUEST, type SeededBug, seededBugElf } from "../../../scripts/build-minvisor.mjs";
import { inRepository, SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";
import { placesOf } from "../../invariants/boot.ts";

/** Each with the event at which it is found, and the invariant that the culprit is known of. */
const BUGS: readonly (readonly [SeededBug, string, string])[] = [
  [
    "wrong-region-size",
    "builder_maps_one_to_one",
    "a return, where the run stops before anything else",
  ],
  ["first-byte-checked", "guest_writes_its_own_bytes", "a call"],
  ["rip-by-length", "rip_moves_on", "VMRUN after an exit"],
  ["stale-clean-bits", "clean_bits_are_true", "VMRUN, over a field of the VMCB"],
  ["stack-overflow", "stack_stays_in_bounds", "a write of its own"],
  ["blind-wrmsr", "host_writes_listed_msrs", "WRMSR, which writes no memory"],
];

const statusIn = (invariants: readonly InvariantStatus[], name: string) =>
  invariants.find((each) => each.name === name);

test.each(BUGS)("%s violates %s at %s", async (bug, name) => {
  const session = new InProcessSession();
  await session.begin({
    ...{ ...SAMPLE, kernel: seededBugElf(bug), modules: [HOSTILE_GUEST], symbols: [] },
    // Alone: a bug makes others false too, some of them earlier.
    ...{ invariants: [name], invariantFiles: ["minvisor/minvisor.inv"] },
  });
  await session.ask("setExceptionBreakpoints", { filters: ["invariant"] });
  const explained = session.next<ViolationBody>("minvisor/violation");
  const go = async (command: string, args: object = {}) => {
    const stopped = session.next<{ description: string }>("stopped");
    await session.ask(command, args);
    return (await stopped).description;
  };
  expect(await go("configurationDone")).toBe(`Paused on violation of ${name}`);
  await explained;
  const { machine, images } = session.session.loaded!.debuggee;
  const home = machine.stateHash();
  const { invariants } = await session.ask<CheckRunBody>("minvisor/checkRun");
  expect(machine.stateHash()).toBe(home);
  const places = placesOf(bug);
  const [culprit, marked] = [places.culprit, places.marked].map(({ path, line }) => {
    return { path: inRepository(path), line };
  });
  const checked = statusIn(invariants, name);
  expect(checked).toMatchObject({ verdict: "violated", violation: { culprit } });
  expect(await go("minvisor/seek", { culprit: name })).toBe(`Paused on the culprit of ${name}`);
  expect(images.sourceAt("host", machine.state.rip)).toMatchObject(culprit ?? {});
  expect(await go("minvisor/seek", { violation: "first" })).toBe(`Paused on violation of ${name}`);
  expect(machine.stateHash()).toBe(home);
  // A check of the whole run found what the session had, with the stack.
  const now = await session.ask<CheckRunBody>("minvisor/invariants");
  const own = statusIn(now.invariants, name);
  expect(own?.violation).toEqual(checked?.violation);
  const stack = own?.violation?.culprit?.stack ?? [];
  expect(stack[0]).toMatchObject(culprit ?? {});
  expect(stack.slice(0, 2)).toContainEqual(expect.objectContaining(marked));
  expect(own?.checks).toBe(checked?.checks);
  session.session.close();
});
