// The client's console stays calm whatever the guest prints and breakpoints log.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, SAMPLE, startClient } from "../../harness/dap-adapter.ts";

const MOST_A_SECOND = 60;
const MEASURED_MS = 2500;
/** An event may come late, and then close to the next. */
const LATE = 5;

const folder = mkdtempSync(join(tmpdir(), "minvisor-flood-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A real-mode guest: code that runs at 0x7c00. */
function guest(name: string, ...code: number[]): string {
  const path = join(folder, name);
  writeFileSync(path, Uint8Array.from(code));
  return path;
}

// mov dx, PORT; mov al, 'A'; mov cx, 79; out dx, al; loop to the out; mov al, '\n'; out dx, al
const printing = (port: number) => [
  ...[0xba, port & 0xff, port >> 8],
  ...[0xb0, 0x41, 0xb9, 0x4f, 0x00],
  ...[0xee, 0xe2, 0xfd],
  ...[0xb0, 0x0a, 0xee],
];
/** jmp back over so many bytes. */
const backTo = (length: number) => [0xe9, (-length - 3) & 0xff, ((-length - 3) >> 8) & 0xff];
const COM1 = printing(0x3f8);
const BOTH = [...COM1, ...printing(0x2f8)];

interface Seen {
  readonly at: number;
  readonly body: DP.OutputEvent["body"];
}

let client: AdapterClient;
let seen: Seen[];
beforeEach(async () => {
  client = await startClient();
  seen = [];
  client.on("output", ({ body }: DP.OutputEvent) => {
    if (body.category !== "telemetry") seen.push({ at: performance.now(), body });
  });
});
afterEach(() => client.stop());

/** The most events within any second. */
function densest(events: readonly Seen[]): number {
  let [first, most] = [0, 0];
  events.forEach(({ at }, last) => {
    while ((events[first] as Seen).at < at - 1000) first++;
    most = Math.max(most, last - first + 1);
  });
  return most;
}

/** Lets the guest flood for a while, and on a busy machine until there is enough to look at. */
async function flood(
  attributes: object,
  breakpoints: () => Promise<unknown>,
  isEnough: () => boolean,
): Promise<void> {
  await client.begin({ ...SAMPLE, symbols: [], pacing: false, ...attributes });
  await breakpoints();
  await client.configurationDoneRequest();
  do await new Promise((resolve) => setTimeout(resolve, MEASURED_MS));
  while (!isEnough());
  await client.pauseRequest({ threadId: 1 });
  await client.nextStop();
}

const serial = ["stdio", "stdio"];
const both = guest("both.bin", ...BOTH, ...backTo(BOTH.length));
const com1 = guest("com1.bin", ...COM1, ...backTo(COM1.length));

test("both ports flooded, and breakpoints that log all the time", async () => {
  const breakpoints = [{ event: "io:0x3f8:w", logMessage: "value {value}" }];
  await flood(
    { modules: [both], serial },
    () => client.send("minvisor/setEventBreakpoints", { breakpoints }),
    () => seen.some(({ body }) => body.output.includes("suppressed")),
  );
  expect(densest(seen)).toBeLessThanOrEqual(MOST_A_SECOND + LATE);
  const categories = new Set(seen.map(({ body }) => body.category));
  expect(categories).toEqual(new Set(["stdout", "console"]));
  const logged = seen.flatMap(({ body }) => (body.category === "console" ? [body.output] : []));
  expect(logged.join("")).toMatch(/value 0x41\n/);
  expect(logged.join("")).toMatch(/\d+ log messages suppressed: more than 500 in a second\.\n/);
});

test("a port flooded: few events, and all of what was printed", async () => {
  const texts: string[] = [];
  client.on("minvisor/console", ({ body }: DP.Event) => texts.push(body.text));
  const isEnough = () => client.console.length > 20_000;
  await flood({ modules: [com1], serial: ["stdio"] }, () => Promise.resolve(), isEnough);
  expect(densest(seen)).toBeLessThanOrEqual(MOST_A_SECOND + LATE);
  const printed = client.console.slice(client.console.indexOf("A".repeat(79)));
  expect(printed.length).toBeGreaterThan(10_000);
  // Whole lines of 79 characters: nothing is lost between two events.
  expect(
    printed
      .split("\n")
      .slice(0, -1)
      .every((line) => line === "A".repeat(79)),
  ).toBe(true);
  expect(texts.join("")).toContain("A\nA");
});

test("stops by the hundred do not flood it either", async () => {
  await client.begin({ ...SAMPLE, modules: [com1], symbols: [], serial, pacing: false });
  await client.send("minvisor/setEventBreakpoints", { breakpoints: [{ event: "io:0x3f8:w" }] });
  await client.configurationDoneRequest();
  const started = performance.now();
  let stops = 0;
  for (; performance.now() - started < MEASURED_MS; stops++) {
    await client.nextStop();
    await client.continueRequest({ threadId: 1 });
  }
  expect(stops).toBeGreaterThan(200);
  expect(densest(seen)).toBeLessThanOrEqual(MOST_A_SECOND + LATE);
});

test("colours of the guest's console arrive as it prints them", async () => {
  const red = "\x1b[31mred\x1b[0m";
  const letters = [...red].flatMap((letter) => [0xb0, letter.charCodeAt(0), 0xee]);
  // mov dx, 0x3f8; mov al, LETTER; out dx, al; ...; jmp to itself
  const path = guest("red.bin", 0xba, 0xf8, 0x03, ...letters, 0xeb, 0xfe);
  await client.begin({ ...SAMPLE, modules: [path], symbols: [], pacing: false });
  await client.configurationDoneRequest();
  for (let i = 0; i < 200 && !client.console.includes(red); i++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(client.console).toContain(red);
});
