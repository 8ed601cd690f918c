// Every request that steps, jumps or ends a thread, as a client sees it: happy path and error.
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type AdapterClient,
  inRepository,
  SAMPLE,
  type Stopped,
  startClient,
} from "../../harness/dap-adapter.ts";
import { Transcript } from "../../harness/dap-transcript.ts";

let client: AdapterClient;
let transcript: Transcript;
beforeEach(async () => {
  client = await startClient();
  transcript = new Transcript(client);
});
afterEach(() => client.stop());

async function begin(name: string, attributes: object = SAMPLE): Promise<void> {
  await client.begin(attributes);
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  await client.setFunctionBreakpointsRequest({ breakpoints: [] });
}

/** Asks, and writes down the stop that follows and where it is. */
async function run(command: string, args: object): Promise<Stopped> {
  await transcript.ask(command, args);
  const stop = await client.nextStop();
  transcript.note("stopped", stop);
  const [frame] = await client.frames();
  transcript.note("at", `${frame?.name} ${frame?.source?.name ?? "-"}:${frame?.line}`);
  await transcript.ask("threads");
  return stop;
}

const lineOf = (path: string, text: string): number =>
  readFileSync(inRepository(path), "utf8")
    .split("\n")
    .findIndex((line) => line.includes(text)) + 1;

test("targets: into the guest, to the exit's handler, into an interrupt handler, into a call", async () => {
  await begin("vmrun_instruction");
  await transcript.ask("stepInTargets", { frameId: 1 });
  await transcript.ask("stepInTargets", { frameId: 2 });
  await run("stepIn", { threadId: 1, targetId: 1 });
  await transcript.ask("stepInTargets", { frameId: 1 });
  await run("stepIn", { threadId: 1, targetId: 1 });
  await transcript.ask("stepIn", { threadId: 1, targetId: 77 });
  await transcript.ask("stepInTargets", { frameId: 99 });
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "sleep_once" }] });
  await client.go("continue");
  await run("stepIn", { threadId: 1, targetId: 2 });
  await client.setBreakpointsRequest({
    source: { path: inRepository("minvisor/exit.c") },
    breakpoints: [{ line: lineOf("minvisor/exit.c", "count_exit(exit_table[i].name)") }],
  });
  await client.go("continue");
  await transcript.ask("stepInTargets", { frameId: 1 });
  await run("stepIn", { threadId: 1, targetId: 1 });
  await expect(transcript.text).toMatchFileSnapshot("./step-targets.golden.txt");
});

test("the policy: steps follow the CPU across VMRUN and #VMEXIT, or stay in their world", async () => {
  await begin("vmrun_instruction", { ...SAMPLE, stepPolicy: "followCpu" });
  expect((await run("next", { threadId: 1 })).reason).toBe("step");
  expect((await client.frames())[0]?.name).toMatch(/^guest · start/);
  for (let i = 0; i < 40 && (await client.frames())[0]?.name.startsWith("guest"); i++) {
    await client.go("next", true);
  }
  expect((await client.frames())[0]?.name).toBe("host · vmrun");
  expect(await client.value("$rip")).toBe(
    `0x${(BigInt(await client.value("&vmrun_instruction")) + 3n).toString(16)}`,
  );
  await transcript.ask("minvisor/setStepPolicy", { policy: "sameWorld" });
  await transcript.ask("minvisor/setStepPolicy", { policy: "anywhere" });
  await client.go("stepOut");
  expect((await client.frames())[0]?.name).toBe("host · run_guest");
  await expect(transcript.text).toMatchFileSnapshot("./step-policy.golden.txt");
});

test("goto sets rip in the target's world, and says when that leaves the function", async () => {
  await begin("handle_exit");
  const source = { path: inRepository("minvisor/exit.c") };
  const inside = lineOf("minvisor/exit.c", "exit_table[i].handle()");
  await transcript.ask("goto", { threadId: 1, targetId: 1 });
  await transcript.ask("gotoTargets", { source, line: inside });
  await run("goto", { threadId: 1, targetId: 1 });
  const notes: string[] = [];
  client.on("output", ({ body }) => body.category === "important" && notes.push(body.output));
  await transcript.ask("gotoTargets", {
    source: { path: inRepository("minvisor/exit_cpuid.c") },
    line: lineOf("minvisor/exit_cpuid.c", "count_cpuid(leaf)"),
  });
  await run("goto", { threadId: 1, targetId: 1 });
  expect(notes.join("")).toMatch(/^The jump to host · exit_cpuid\S* leaves the function: /);
  await transcript.ask("gotoTargets", { source: { path: "/nowhere.c" }, line: 1 });
  await transcript.ask("goto", { threadId: 1, targetId: 5 });
  await expect(transcript.text).toMatchFileSnapshot("./goto.golden.txt");
});

test("threads: one vCPU; other ids are errors; ending it ends the machine", async () => {
  await begin("guest_main");
  for (const command of ["continue", "next", "stepIn", "stepOut", "pause"]) {
    await transcript.ask(command, { threadId: 2, singleThread: true });
  }
  await transcript.ask("stackTrace", { threadId: 2 });
  await transcript.ask("terminateThreads", { threadIds: [2] });
  await transcript.ask("terminateThreads", {});
  await run("next", { threadId: 1, singleThread: true });
  const terminated = client.waitForEvent("terminated");
  await transcript.ask("terminateThreads", { threadIds: [1] });
  await terminated;
  await transcript.ask("next", { threadId: 1 });
  await expect(transcript.text).toMatchFileSnapshot("./threads.golden.txt");
});
