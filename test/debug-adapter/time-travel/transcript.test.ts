// What the requests that go through the past answer, and how they refuse.
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, SAMPLE, startClient } from "../../harness/dap-adapter.ts";
import { Transcript } from "../../harness/dap-transcript.ts";

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

/** Asks for something that leads to a stop, and writes the stop down. */
async function travel(transcript: Transcript, command: string, args: object): Promise<void> {
  await transcript.ask(command, args);
  transcript.note("stopped", await client.nextStop());
  const [{ name, line } = { name: "", line: 0 }] = await client.frames();
  transcript.note("frame", `${name}:${line}`);
}

test("requests that go through the past", async () => {
  await client.begin(SAMPLE);
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "exit_cpuid" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  const transcript = new Transcript(client);
  const thread = { threadId: 1 };
  for (let i = 0; i < 2; i++) await client.go("next");
  await travel(transcript, "stepBack", thread);
  await travel(transcript, "stepBack", { ...thread, granularity: "instruction" });
  await travel(transcript, "restartFrame", { frameId: 1 });
  await travel(transcript, "minvisor/reverse", { ...thread, kind: "out" });
  await travel(transcript, "minvisor/reverse", { ...thread, kind: "over" });
  await travel(transcript, "minvisor/seek", { exit: 5 });
  await travel(transcript, "minvisor/seek", { to: "previousExit" });
  await travel(transcript, "minvisor/lastWriter", { name: "$vmcb.N_CR3" });
  await transcript.ask("minvisor/lastWriter", { name: "1 + 1" });
  await transcript.ask("minvisor/history", { name: "1 + 1" });
  await transcript.ask("minvisor/why", { exit: 37 });
  await transcript.ask("minvisor/saveRecording", { path: "/dev/null" });
  await transcript.ask("minvisor/saveRecording", { path: "/nowhere/run.mvrec" });
  await transcript.ask("minvisor/timeline");
  await transcript.ask("minvisor/exitLedger", { filter: "CPUID", sort: "cost", count: 1 });
  await transcript.ask("minvisor/exitLedger", { groupBy: "reason", count: 2 });
  await transcript.ask("minvisor/exitDensity", { from: 0, to: 200_000, buckets: 4 });
  await transcript.ask("evaluate", { expression: "$rbx = 1", context: "repl" });
  await travel(transcript, "minvisor/seek", { to: "end" });
  await transcript.ask("minvisor/history", { name: "$vmcb.N_CR3", count: 1 });
  await travel(transcript, "minvisor/seek", { condition: "number == 7", occurrence: "previous" });
  await travel(transcript, "minvisor/seek", { console: { text: "no such text", port: "com1" } });
  await travel(transcript, "minvisor/seek", { to: "end" });
  await travel(transcript, "reverseContinue", thread);
  await transcript.ask("minvisor/allowFork");
  await transcript.ask("evaluate", { expression: "$rbx = 1", context: "repl" });
  await transcript.ask("minvisor/futures");
  await transcript.ask("minvisor/compareFutures", { a: 1, b: 2, count: 2 });
  await transcript.ask("minvisor/compareFutures", { a: 2, b: 2 });
  await transcript.ask("minvisor/compareFutures", { a: 1, b: 3 });
  await travel(transcript, "minvisor/seek", { future: 1 });
  await transcript.ask("minvisor/seek", { future: 3 });
  await expect(transcript.text).toMatchFileSnapshot("./past.golden.txt");
});

test("what is refused", async () => {
  const transcript = new Transcript(client);
  const thread = { threadId: 1 };
  await client.initializeRequest();
  await transcript.ask("minvisor/timeline");
  await transcript.ask("minvisor/allowFork");
  await client.send("launch", { ...SAMPLE, stopOnEntry: true, recording: false });
  await client.configurationDoneRequest();
  await client.nextStop();
  await transcript.ask("stepBack", thread);
  await transcript.ask("stepBack", { threadId: 2 });
  await transcript.ask("reverseContinue", thread);
  await transcript.ask("restartFrame", { frameId: 1 });
  await transcript.ask("minvisor/seek", { to: "end" });
  await transcript.ask("minvisor/futures");
  await transcript.ask("minvisor/reverse", { ...thread, kind: "sideways" });
  await transcript.ask("minvisor/reverse", { ...thread, kind: "out" });
  await transcript.ask("minvisor/timeline");
  await client.customRequest("restart", {
    arguments: { ...SAMPLE, stopOnEntry: true, recordingMemory: "64M" },
  });
  await client.nextStop();
  await transcript.ask("minvisor/seek");
  await transcript.ask("minvisor/seek", { exit: 1 });
  await transcript.ask("minvisor/why");
  await transcript.ask("minvisor/seek", { icount: -1 });
  await transcript.ask("minvisor/seek", { console: { text: "" } });
  await transcript.ask("minvisor/seek", { condition: "1 +" });
  await transcript.ask("minvisor/seek", { condition: "1", at: "execute nothing" });
  await transcript.ask("minvisor/exitLedger", { count: 1_000_000 });
  await transcript.ask("minvisor/exitLedger", { filter: "cost >" });
  await transcript.ask("minvisor/exitDensity", { buckets: 0 });
  await transcript.ask("restartFrame", { frameId: 99 });
  await expect(transcript.text).toMatchFileSnapshot("./refused.golden.txt");
});
