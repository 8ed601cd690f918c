// The view of exit breakpoints: its rows, what is kept, and what the real adapter says of each.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CustomRequests } from "../../debug-adapter/protocol.ts";
import { EventBreakpoints } from "../../extension/exit-breakpoints/event-breakpoints.ts";
import {
  eventRow,
  isExitEvent,
  type Row,
  rowsOf,
  textOf,
} from "../../extension/exit-breakpoints/exit-tree.ts";
import { type AdapterClient, startClient } from "../harness/dap-adapter.ts";

const none = () => new EventBreakpoints(undefined, isExitEvent);
const allEvents = (breakpoints: EventBreakpoints): string[] =>
  rowsOf(breakpoints).flatMap((row: Row) => (row.kind === "group" ? row.events : [row.event]));

describe("what is kept", () => {
  test("a tick and its texts; nothing is kept of an exit that is as at first", () => {
    const breakpoints = none();
    breakpoints.setEnabled("vmexit:NPF", true);
    breakpoints.setText("vmexit:CPUID", "condition", " leaf == 0 ");
    expect(breakpoints.enabled).toEqual([
      { event: "vmexit:NPF" },
      { event: "vmexit:CPUID", condition: "leaf == 0" },
    ]);
    breakpoints.setEnabled("vmexit:NPF", false);
    breakpoints.setEnabled("vmexit:CPUID", false);
    expect(breakpoints.all).toEqual([
      { event: "vmexit:CPUID", enabled: false, condition: "leaf == 0" },
    ]);
    breakpoints.setText("vmexit:CPUID", "condition", "");
    expect(breakpoints.all).toEqual([]);
  });

  test("comes back from storage, whatever else is in it", () => {
    const breakpoints = none();
    breakpoints.setEnabled("io:0x3f8", true);
    breakpoints.setText("vmexit:MSR", "hitCondition", "> 5");
    const stored: unknown = JSON.parse(JSON.stringify(breakpoints.all));
    expect(new EventBreakpoints(stored, isExitEvent).all).toEqual(breakpoints.all);
    const spoilt = [1, null, { event: 2 }, { event: "vmrun", enabled: true, condition: 3 }];
    expect(new EventBreakpoints(spoilt, isExitEvent).all).toEqual([]);
    expect(new EventBreakpoints("?", isExitEvent).all).toEqual([]);
  });

  test("an added event stays when it is off, and goes when it is removed", () => {
    const breakpoints = none();
    breakpoints.setEnabled("vmrun", true);
    breakpoints.setEnabled("vmexit:HLT", true);
    breakpoints.clear();
    expect(breakpoints.all).toEqual([{ event: "vmrun", enabled: false }]);
    expect(rowsOf(breakpoints)[0]).toMatchObject({ name: "Other events", events: ["vmrun"] });
    breakpoints.remove("vmrun");
    expect(breakpoints.added).toEqual([]);
  });
});

describe("rows", () => {
  test("a group counts its ticks and is ticked when all of it is", () => {
    const breakpoints = none();
    const group = rowsOf(breakpoints).find((row) => row.kind === "group" && row.name === "Events")!;
    const events = rowsOf(breakpoints, group).map((row) => (row.kind === "event" ? row.event : ""));
    expect(events).toContain("vmexit:INTR");
    breakpoints.setEnabled("vmexit:INTR", true);
    expect(textOf(group, breakpoints)).toMatchObject({
      checked: false,
      description: `1 of ${events.length}`,
    });
    for (const event of events) breakpoints.setEnabled(event, true);
    expect(textOf(group, breakpoints).checked).toBe(true);
  });

  test("a row shows its texts, and its meaning where there are none", () => {
    const breakpoints = none();
    const row = eventRow("vmexit:NPF");
    expect(textOf(row, breakpoints)).toMatchObject({
      label: "NPF",
      description: "Nested page fault",
      spoken: "NPF, Nested page fault",
    });
    breakpoints.setText("vmexit:NPF", "condition", "write");
    breakpoints.setText("vmexit:NPF", "logMessage", "{gpa}");
    expect(textOf(row, breakpoints).description).toBe('if write · log "{gpa}"');
  });
});

describe("the adapter", () => {
  let client: AdapterClient;
  beforeAll(async () => {
    client = await startClient();
    await client.runTo({ filters: [], filterOptions: [{ filterId: "exit:CPUID" }] });
  });
  afterAll(() => client.stop());

  type Body<Name extends keyof CustomRequests> = CustomRequests[Name]["body"];
  async function sent(breakpoints: EventBreakpoints): Promise<number[]> {
    const { enabled } = breakpoints;
    const answer = await client.customRequest("minvisor/setEventBreakpoints", {
      breakpoints: enabled,
    });
    const body = answer.body as Body<"minvisor/setEventBreakpoints">;
    breakpoints.answered(enabled, body.breakpoints);
    return body.breakpoints.map(({ id }) => id!);
  }

  test("has the exits of the rows, and takes each of them", async () => {
    const answer = await client.customRequest("minvisor/exitCodes");
    const { exits } = answer.body as Body<"minvisor/exitCodes">;
    const breakpoints = none();
    expect(allEvents(breakpoints).sort()).toEqual(exits.map(({ name }) => `vmexit:${name}`).sort());
    for (const event of allEvents(breakpoints)) breakpoints.setEnabled(event, true);
    await sent(breakpoints);
    expect(allEvents(breakpoints).filter((event) => breakpoints.problem(event))).toEqual([]);
  });

  test("says at the row what is wrong with it", async () => {
    const breakpoints = none();
    breakpoints.setText("vmexit:NPF", "condition", "gpa >=");
    breakpoints.setEnabled("vmexit:TEA", true);
    breakpoints.setEnabled("vmexit:MSR", true);
    await sent(breakpoints);
    expect(breakpoints.problem("vmexit:NPF")).toMatch(/gpa >=/);
    expect(textOf(eventRow("vmexit:NPF"), breakpoints).description).toMatch(/gpa >=/);
    expect(breakpoints.problem("vmexit:TEA")).toMatch(/no exit "TEA"/);
    expect(breakpoints.problem("vmexit:MSR")).toBeUndefined();
  });

  test("names the breakpoint that stopped it", async () => {
    const breakpoints = none();
    breakpoints.setEnabled("vmexit:MSR", true);
    const [id] = await sent(breakpoints);
    const stop = client.waitForEvent("stopped");
    await client.continueRequest({ threadId: 1 });
    const { hitBreakpointIds } = (await stop).body as { hitBreakpointIds: number[] };
    expect(hitBreakpointIds).toContain(id);
    breakpoints.hit(hitBreakpointIds);
    expect(breakpoints.isHit("vmexit:MSR")).toBe(true);
    expect(textOf(eventRow("vmexit:MSR"), breakpoints)).toMatchObject({ isHit: true });
    breakpoints.hit([]);
    expect(breakpoints.hitCount).toBe(0);
  });
});
