/** What the past costs: recording it, and going there. */
import { performance } from "node:perf_hooks";
import { type Instant, Timeline } from "../../emulator/index.ts";
import { LINUX } from "../harness/dap-adapter.ts";
import { InProcessSession } from "../harness/in-process-session.ts";
import { type Comparison, compare, median } from "./alternating.ts";
import { linuxFiles, linuxImage, linuxMachine } from "./linux-machine.ts";

const STRETCH = 400_000_000;
const PIECE = 1_000_000;

function cpuSeconds(work: () => void): Promise<number> {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return Promise.resolve((user + system) / 1e6);
}

/** The same stretch of a Linux boot recorded, and not. */
export function recording(pairs: number): Promise<Comparison> {
  const image = linuxImage(linuxFiles(process.cwd()));
  const recorded = () => {
    const timeline = new Timeline(linuxMachine(image));
    return cpuSeconds(() => {
      while (timeline.machine.icount < STRETCH) timeline.run({ instructions: PIECE });
    });
  };
  const plain = () => {
    const machine = linuxMachine(image);
    return cpuSeconds(() => {
      while (machine.icount < STRETCH) machine.run({ instructions: PIECE });
    });
  };
  return compare(recorded, plain, pairs);
}

const show = (values: readonly number[]): string =>
  `median ${median(values).toFixed(0)} ms, worst ${Math.max(...values).toFixed(0)} ms`;

/** Milliseconds of a request that ends in a stop. */
export async function timed(
  client: InProcessSession,
  command: string,
  args: object,
): Promise<number> {
  const stopped = client.next("stopped");
  const start = performance.now();
  await client.ask(command, { threadId: 1, ...args });
  await stopped;
  return performance.now() - start;
}

/** A session whose machine has run to an icount. */
export async function sessionAt(icount: number, attributes: object): Promise<InProcessSession> {
  const client = new InProcessSession();
  await client.begin({ ...attributes, serial: [null, null], stopOnEntry: true });
  const entry = client.next("stopped");
  await client.ask("configurationDone");
  await entry;
  const { machine } = client.session.loaded!.debuggee;
  const stopped = client.next("stopped");
  client.session.resume({
    isSingle: false,
    reached: () =>
      machine.icount < icount ? undefined : { reason: "pause", description: "far enough" },
  });
  await stopped;
  return client;
}

/** Seeks into gaps, seeks near where one was, and steps back, in a Linux boot of half a billion instructions. */
export async function goingBack(count: number): Promise<void> {
  const client = await sessionAt(500_000_000, LINUX);
  const { machine } = client.session.loaded!.debuggee;
  const end: Instant = machine.instant;
  const [first, near, back, lines]: number[][] = [[], [], [], []];
  for (let i = 1, random = 42; i <= count; i++) {
    random = (random * 1103515245 + 12345) & 0x7fffffff;
    const icount = Math.floor((random / 0x7fffffff) * end.icount);
    first?.push(await timed(client, "minvisor/seek", { icount }));
    near?.push(await timed(client, "minvisor/seek", { icount: Math.max(0, icount - 50_000) }));
    back?.push(await timed(client, "stepBack", { granularity: "instruction" }));
    lines?.push(
      await timed(client, "minvisor/reverse", { kind: "over", granularity: "instruction" }),
    );
  }
  client.session.close();
  console.log(`first seek to an instant of half a billion: ${show(first ?? [])} (${count} seeks)`);
  console.log(`seek near there: ${show(near ?? [])}; goal 300 ms`);
  console.log(`step back by an instruction: ${show(back ?? [])}; goal 300 ms`);
  console.log(`the same over what is called: ${show(lines ?? [])}`);
}
