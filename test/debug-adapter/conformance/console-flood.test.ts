// The client's console stays calm whatever the guest prints and breakpoints log.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { buildImage, multibootSource } from "../../emulator/loader/build-image.ts";
import { SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";
import { machineClock } from "../../harness/machine-clock.ts";

const MOST_A_SECOND = 60;
const MEASURED_MS = 2000;
/** Instructions a second: some ten thousand characters. */
const SPEED = 2_500_000;

const folder = mkdtempSync(join(tmpdir(), "minvisor-flood-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function kernel(name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, buildImage(multibootSource(3, "", body)));
  return path;
}

/** A line of 79 characters, each with some work before it. */
const printing = (port: number) => `
  mov $${port}, %edx
  mov $79, %ebx
1: mov $150, %ecx
2: loop 2b
  mov $'A', %al
  out %al, %dx
  dec %ebx
  jnz 1b
  mov $'\\n', %al
  out %al, %dx`;
const COM1 = printing(0x3f8);

interface Seen {
  readonly at: number;
  readonly body: DP.OutputEvent["body"];
}

let session: InProcessSession;
let clock: ReturnType<typeof machineClock>;
let speed: number;
let seen: Seen[];
let terminal: string;
beforeEach(() => {
  clock = machineClock(
    () => speed,
    () => session.session.loaded?.debuggee.machine,
  );
  session = new InProcessSession(clock);
  [speed, seen, terminal] = [SPEED, [], ""];
  session.onEvent = (event, body) => {
    if (event === "minvisor/console") terminal += (body as { text: string }).text;
    if (event !== "output") return;
    const output = body as DP.OutputEvent["body"];
    if (output.category !== "telemetry") seen.push({ at: clock.now(), body: output });
  };
});
afterEach(() => session.session.close());

const shown = (category: string): string =>
  seen.flatMap(({ body }) => (body.category === category ? [body.output] : [])).join("");

/** The most events within any second. */
function densest(events: readonly Seen[]): number {
  let [first, most] = [0, 0];
  events.forEach(({ at }, last) => {
    while ((events[first] as Seen).at < at - 1000) first++;
    most = Math.max(most, last - first + 1);
  });
  return most;
}

async function begin(attributes: object, breakpoints: readonly object[]): Promise<void> {
  await session.begin({ ...SAMPLE, modules: [], symbols: [], pacing: false, ...attributes });
  await session.ask("minvisor/setEventBreakpoints", { breakpoints });
  await session.ask("configurationDone");
}

/** Lets the guest flood for a while. */
async function flood(attributes: object, breakpoints: readonly object[] = []): Promise<void> {
  await begin(attributes, breakpoints);
  await clock.pass(MEASURED_MS);
  const stopped = session.next("stopped");
  await session.ask("pause", { threadId: 1 });
  await stopped;
}

const serial = ["stdio", "stdio"];
const both = kernel(
  "both.elf",
  `0: ${COM1}${printing(0x2f8)}
  jmp 0b`,
);
const com1 = kernel(
  "com1.elf",
  `0: ${COM1}
  jmp 0b`,
);

test("both ports flooded, and breakpoints that log all the time", async () => {
  await flood({ kernel: both, serial }, [{ event: "io:0x3f8:w", logMessage: "value {value}" }]);
  expect(densest(seen)).toBeLessThanOrEqual(MOST_A_SECOND);
  expect(new Set(seen.map(({ body }) => body.category))).toEqual(new Set(["stdout", "console"]));
  expect(shown("console")).toMatch(/value 0x41\n/);
  expect(shown("console")).toMatch(/\d+ log messages suppressed: more than 500 in a second\.\n/);
});

test("a port flooded: few events, and all of what was printed", async () => {
  await flood({ kernel: com1, serial: ["stdio"] });
  expect(densest(seen)).toBeLessThanOrEqual(MOST_A_SECOND);
  const printed = shown("stdout").slice(shown("stdout").indexOf("A".repeat(79)));
  expect(printed.length).toBeGreaterThan(10_000);
  // Whole lines of 79 characters: nothing is lost between two events.
  expect(
    printed
      .split("\n")
      .slice(0, -1)
      .every((line) => line === "A".repeat(79)),
  ).toBe(true);
  expect(terminal).toContain("A\nA");
});

test("stops by the hundred do not flood it either", async () => {
  await begin({ kernel: com1, serial }, [{ event: "io:0x3f8:w" }]);
  await session.next("stopped");
  [speed, seen] = [SPEED / 16, []];
  const end = clock.now() + MEASURED_MS;
  let stops = 0;
  for (; clock.now() < end; stops++) {
    const stopped = session.next("stopped");
    await session.ask("continue", { threadId: 1 });
    await stopped;
  }
  expect(stops).toBeGreaterThan(200);
  expect(seen.length).toBeGreaterThan(MOST_A_SECOND);
  expect(densest(seen)).toBeLessThanOrEqual(MOST_A_SECOND);
});

test("colours of the guest's console arrive as it prints them", async () => {
  const red = "\x1b[31mred\x1b[0m";
  const letters = Array.from(red, (letter) => `mov $${letter.charCodeAt(0)}, %al; out %al, %dx`);
  const path = kernel("red.elf", `mov $0x3f8, %edx; ${letters.join("; ")}; jmp .`);
  await begin({ kernel: path }, []);
  await clock.pass(1000);
  expect(shown("stdout")).toBe(red);
});
