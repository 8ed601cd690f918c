// To console text and to conditions, over DAP, compared with what a run forward met.
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Occurrence, TimelineBody } from "../../../debug-adapter/protocol.ts";
import { SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

let session: InProcessSession;
/** What left the ports, with the icount at which each byte did. */
let sent: { source: string; byte: string; icount: number }[];

const debuggee = () => session.session.loaded!.debuggee;
const timeline = () => session.ask<TimelineBody>("minvisor/timeline");

beforeEach(async () => {
  session = new InProcessSession();
  sent = [];
  await session.begin(SAMPLE);
  await session.ask("setExceptionBreakpoints", { filters: ["exit:VMMCALL"] });
  const { machine } = debuggee();
  const detach = machine.observe({
    name: "test",
    on: {
      console: ({ source, byte }) => {
        sent.push({ source, byte: String.fromCharCode(byte), icount: machine.icount });
        return undefined;
      },
    },
  });
  const stopped = session.next("stopped");
  await session.ask("configurationDone");
  await stopped;
  detach();
});
afterEach(() => session.session.close());

async function go(args: object): Promise<{ description: string; text?: string }> {
  const stopped = session.next<{ description: string; text?: string }>("stopped");
  await session.ask("minvisor/seek", args);
  return stopped;
}

/** Where texts ended on a port, by the run itself. */
function ends(source: string, text: string): number[] {
  const bytes = sent.filter((each) => each.source === source && each.byte !== "\r");
  const all = bytes.map(({ byte }) => byte).join("");
  const found: number[] = [];
  for (let at = all.indexOf(text); at >= 0; at = all.indexOf(text, at + 1)) {
    found.push(bytes[at + text.length - 1]!.icount);
  }
  return found;
}

test("each occurrence of a text is where its last byte left the port", async () => {
  const { source } = sent.at(-1)!;
  const lines = sent.filter((each) => each.source === source).map(({ byte }) => byte);
  const word = /\w{4,}/.exec(lines.join(""))![0];
  const expected = ends(source, word);
  expect(expected.length).toBeGreaterThan(0);
  const seek = (occurrence: Occurrence) =>
    go({ console: { text: word, port: source, occurrence } });
  const icount = async () => (await timeline()).icount;
  const near = async (wanted: number) =>
    expect(Math.abs((await icount()) - wanted)).toBeLessThan(2);
  expect((await seek("last")).description).toBe(`Paused on "${word}" on ${source}`);
  await near(expected.at(-1)!);
  expect(debuggee().consoleTail.of(source).endsWith(word)).toBe(true);
  await seek("first");
  await near(expected[0]!);
  await go({ icount: 0 });
  await seek("next");
  await near(expected[0]!);
  const home = debuggee().machine.stateHash();
  const none = await seek("previous");
  expect(none.description).toMatch(/^From the beginning of the recording to here there is not/);
  expect(debuggee().machine.stateHash()).toBe(home);
});

test("a condition on an exit's fields is asked at exits", async () => {
  const { exits } = await timeline();
  expect(exits).toBeGreaterThan(5);
  await go({ condition: "number > 2 && number < 5", occurrence: "last" });
  expect((await timeline()).exit).toBe(4);
  await go({ condition: "number < 5", occurrence: "previous" });
  expect((await timeline()).exit).toBe(3);
  await go({ condition: "number > 2", occurrence: "next" });
  expect((await timeline()).exit).toBe(4);
  await go({ condition: "1", occurrence: "first", at: "vmexit:CPUID" });
  const { exit } = await timeline();
  expect(debuggee().exits.last).toMatchObject({ number: exit, code: 0x72n });
  await go({ condition: "1", occurrence: "first", at: "execute exit_cpuid" });
  expect((await timeline()).exit).toBe(exit);
  expect(debuggee().world).toBe("host");
  const home = debuggee().machine.stateHash();
  const none = await go({ condition: "nonsense == 1", occurrence: "first" });
  expect(none.description).toBe("The recording does not have the condition nonsense == 1");
  expect(none.text).toContain("nonsense");
  expect(debuggee().machine.stateHash()).toBe(home);
});

test("a condition on what can be watched is asked at its writes", async () => {
  await go({ condition: "vmcb.control.nested_cr3 != 0", occurrence: "first" });
  const { exit } = await timeline();
  expect(exit).toBe(0);
  expect(debuggee().world).toBe("host");
  const watch = { name: "$vmcb.nCR3" };
  await go({ to: "end" });
  const { writes } = await session.ask<{ writes: { icount: number }[] }>("minvisor/history", watch);
  await go({ condition: "vmcb.control.nested_cr3 != 0", occurrence: "first" });
  expect((await timeline()).icount).toBe(writes.at(-1)!.icount);
});

test("a condition that names the VMCB before the first VMRUN does not hold yet", async () => {
  await go({ icount: 0 });
  const { machine } = debuggee();
  const started = async () => ({ exit: (await timeline()).exit, guest: machine.state.guestMode });
  await go({ condition: "$vmcb.nCR3 != 0", occurrence: "next" });
  expect(await started()).toEqual({ exit: 0, guest: 1 });
  const firstVmrun = machine.icount;
  await go({ icount: 0 });
  await go({ condition: "1", at: "vmrun", occurrence: "next" });
  expect(machine.icount).toBe(firstVmrun);
  await go({ icount: 0 });
  await go({ condition: "$vmcb.EXITCODE == 0x72", occurrence: "next" });
  expect(debuggee().exits.last).toMatchObject({ number: machine.state.exitCount, code: 0x72n });
  await go({ icount: 0 });
  const none = await go({ condition: "$vmcb.nCR3 == 5", occurrence: "next" });
  expect(none.text).toBe("It was asked at the first VMRUN and after it.");
  const early = await go({ condition: "$vmcb.nCR3 == 5", at: "execute vmcb_init" });
  expect(early.text).toBe("It was asked at execute vmcb_init.");
  const exits = await go({ condition: "$exit.code == 5", occurrence: "first" });
  expect(exits.text).toBe("It was asked at the first VMRUN and after it.");
});

test("a condition that holds before anything is written holds at reset", async () => {
  const condition = "*(unsigned int *)0x10010000 == 0";
  for (const occurrence of ["first", "previous"] as const) {
    await go({ to: "end" });
    expect(await go({ condition, occurrence })).toMatchObject({
      description: `Paused on the condition ${condition}`,
    });
    expect((await timeline()).icount).toBe(0);
  }
  const before = await go({ condition, occurrence: "previous" });
  expect(before.description).toContain("there is not");
});

test("a condition that reads nothing is asked at exits", async () => {
  await go({ condition: "1", occurrence: "first" });
  expect((await timeline()).exit).toBe(1);
  const never = await go({ condition: "0" });
  expect(never.text).toBe("It was asked at every exit.");
});

test("a place of which nothing is known is refused, and what can be written is named", async () => {
  await expect(go({ condition: "1", at: "execute nowhere" })).rejects.toThrow(
    'No loaded image has a function "nowhere": write "exit", an event as vmexit:NPF, ' +
      '"execute" and an address, or a function.',
  );
});
