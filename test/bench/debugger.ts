/** What a developer waits for: stops with their stack and scopes, and instruction steps over DAP. */
import { performance } from "node:perf_hooks";
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { adapterPath, LINUX } from "../harness/dap-adapter.ts";
import { InProcessSession } from "../harness/in-process-session.ts";
import { type Comparison, compare, median } from "./alternating.ts";
import { LeanClient } from "./lean-client.ts";
import { linuxFiles, linuxImage, linuxMachine } from "./linux-machine.ts";

const RANDOM_SEED = 20110101;

/** Times in milliseconds of one stop, from the stopped event as the client sees it. */
interface StopTimes {
  readonly stack: number;
  readonly scopes: number;
}

type Stack = DP.StackTraceResponse["body"];
type Scopes = DP.ScopesResponse["body"];

async function timeStop(client: LeanClient): Promise<StopTimes> {
  const start = performance.now();
  // As VS Code asks: the top frame first, then the rest.
  await client.ask("threads");
  const top = await client.ask<Stack>("stackTrace", { threadId: 1, startFrame: 0, levels: 1 });
  await client.ask("stackTrace", { threadId: 1, startFrame: 1, levels: 19 });
  const stack = performance.now() - start;
  const frameId = top.stackFrames[0]?.id;
  const { scopes } = await client.ask<Scopes>("scopes", { frameId });
  for (const { variablesReference } of scopes) {
    await client.ask("variables", { variablesReference });
  }
  return { stack, scopes: performance.now() - start };
}

/** A client of a new adapter process, at the first MSR exit of a Linux boot. */
async function atFirstExit(): Promise<LeanClient> {
  const client = new LeanClient(await adapterPath());
  await client.ask("initialize", { adapterID: "minvisor" });
  await client.ask("launch", { ...LINUX, invariants: true, serial: ["null", "null"] });
  await client.ask("setExceptionBreakpoints", { filters: ["exit:MSR"] });
  await client.ask("configurationDone");
  await client.stop();
  await client.ask("setExceptionBreakpoints", { filters: ["shutdown", "invariant"] });
  return client;
}

/** Pauses at moments of a Linux boot; prints median and worst. */
export async function stops(count: number): Promise<void> {
  const client = await atFirstExit();
  const times: StopTimes[] = [];
  for (let i = 0, random = RANDOM_SEED; i < count; i++) {
    await client.ask("continue", { threadId: 1 });
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    await new Promise((resolve) => setTimeout(resolve, random % 400));
    await client.ask("pause", { threadId: 1 });
    await client.stop();
    times.push(await timeStop(client));
  }
  client.close();
  const show = (values: number[]) =>
    `median ${median(values).toFixed(1)} ms, worst ${Math.max(...values).toFixed(1)} ms`;
  console.log(
    `stop to full stack: ${show(times.map((t) => t.stack))}; goal 50 ms (${count} stops)`,
  );
  console.log(`stop to all scopes: ${show(times.map((t) => t.scopes))}; goal 150 ms`);
}

/** One instruction, whatever it calls: a step over a call or VMRUN would measure what is run over. */
async function stepAndReadRegisters(client: LeanClient): Promise<void> {
  await client.ask("stepIn", { threadId: 1, granularity: "instruction" });
  await client.stop();
  const top = await client.ask<Stack>("stackTrace", { threadId: 1, startFrame: 0, levels: 1 });
  const { scopes } = await client.ask<Scopes>("scopes", { frameId: top.stackFrames[0]?.id });
  const registers = scopes.find((each) => each.presentationHint === "registers");
  await client.ask("variables", { variablesReference: registers?.variablesReference });
}

const BATCHES = 5;

/** Steps by instruction with the registers read at each; prints the rate once it is warm. */
export async function steps(count: number): Promise<void> {
  const client = await atFirstExit();
  const rates: number[] = [];
  for (let i = 0; i < count / BATCHES; i++) await stepAndReadRegisters(client);
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = performance.now();
    for (let i = 0; i < count / BATCHES; i++) await stepAndReadRegisters(client);
    rates.push(count / BATCHES / ((performance.now() - start) / 1000));
  }
  client.close();
  console.log(
    `instruction steps over DAP with registers read: median ${median(rates).toFixed(0)} a second; goal 3000 (${count} steps)`,
  );
}

const STRETCH = 250_000_000;

/** CPU seconds of `work` in this process. */
async function cpuSeconds(work: () => Promise<void> | void): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** The same stretch of a Linux boot in a whole session that waits, and on the machine alone. */
export function idle(pairs: number): Promise<Comparison> {
  const image = linuxImage(linuxFiles(process.cwd()));
  const debugged = async (): Promise<number> => {
    const client = new InProcessSession();
    await client.begin({
      ...LINUX,
      serial: [null, null],
      recording: false,
      stopOnEntry: true,
    });
    await client.ask("setExceptionBreakpoints", { filters: ["shutdown", "invariant"] });
    const entry = client.next("stopped");
    await client.ask("configurationDone");
    await entry;
    const { machine } = client.session.loaded!.debuggee;
    const seconds = await cpuSeconds(async () => {
      const stopped = client.next("stopped");
      client.session.resume({
        isSingle: false,
        reached: () =>
          machine.icount < STRETCH ? undefined : { reason: "pause", description: "far enough" },
      });
      await stopped;
    });
    const share = STRETCH / machine.icount;
    client.session.close();
    return seconds * share;
  };
  const alone = (): Promise<number> => {
    const machine = linuxMachine(image);
    return cpuSeconds(() => {
      machine.run({ instructions: STRETCH });
    });
  };
  return compare(debugged, alone, pairs);
}
