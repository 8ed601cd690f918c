// Arguments that nobody should send, to every request: an answer or one clear sentence, and the session lives.

import { afterAll, beforeAll, expect, test } from "vitest";
import { ARGUMENTS } from "../../../debug-adapter/requests/arguments.ts";
import { REQUESTS } from "../../../debug-adapter/requests/table.ts";
import type { RequestName } from "../../../debug-adapter/requests/types.ts";
import { randomFraction, testSeed } from "../../harness/random.ts";
import { type Answer, LEAST_ARGUMENTS, LiveSession } from "./live-session.ts";

const seed = testSeed(4711);
const NAMES = Object.keys(REQUESTS) as RequestName[];
const LONG = "x".repeat(1 << 20);

const WRONG: readonly unknown[] = [
  undefined,
  null,
  true,
  -1,
  Number.NaN,
  0.5,
  2 ** 53,
  -(2 ** 53),
  999_999,
  "",
  "\0",
  "a\nb\0c",
  LONG,
  "(".repeat(1 << 20),
  [],
  [null],
  ["x", 7],
  {},
  { path: 7 },
];

/** What a handler that trusts its arguments too much would say. */
const ENGINE =
  /Internal error|Cannot (read|convert|mix|access)|is not a function|is not iterable|undefined is not|call stack|Invalid (array|string|typed)|out of (bounds|memory)|NaN/;

let live: LiveSession;
beforeAll(async () => {
  live = new LiveSession();
  await live.begin();
});
afterAll(() => live.ask("disconnect", {}));

function check({ body, refusal }: Answer, where: string): void {
  if (refusal !== undefined) {
    expect(refusal, where).toMatch(/^[^\n\0]{3,1000}[.!?]$|^cancelled$/);
    expect(refusal, where).not.toMatch(ENGINE);
  }
  // Breakpoints and data ids are refused in their messages.
  const said = body as { description?: string; breakpoints?: { message?: string }[] } | undefined;
  const messages = said?.breakpoints?.map(({ message }) => message) ?? [];
  for (const message of [said?.description, ...messages]) {
    if (message === undefined) continue;
    expect(message, where).toMatch(/^[^\n\0]{0,2000}$/);
    expect(message, where).not.toMatch(ENGINE);
  }
}

const short = (value: unknown): string => (JSON.stringify(value) ?? "undefined").slice(0, 300);

test.each(NAMES)("%s: every argument wrong in every way", async (command) => {
  const least = LEAST_ARGUMENTS[command];
  for (const name of Object.keys(ARGUMENTS[command])) {
    for (const value of WRONG) {
      const args = { ...least, [name]: value };
      check(await live.ask(command, args), `${command} ${name}=${short(value)}`);
      await live.repair();
    }
  }
  for (const value of [7, "text", [], null]) {
    check(await live.ask(command, value), `${command} ${short(value)}`);
    await live.repair();
  }
});

test("what a request needs is missed by name", async () => {
  // Launch attributes have messages of their own; others need one of several, or take nothing as an empty list.
  const others: readonly string[] = ["launch", "terminateThreads", "source", "minvisor/seek"];
  let missed = 0;
  for (const command of NAMES.filter((each) => !others.includes(each))) {
    for (const name of Object.keys(LEAST_ARGUMENTS[command])) {
      const { refusal } = await live.ask(command, { ...LEAST_ARGUMENTS[command], [name]: null });
      expect(refusal).toBe(`${command} needs "${name}", and it is missing.`);
      missed++;
    }
  }
  expect(missed).toBeGreaterThan(40);
});

test("every request at every point of a session: no machine, one that runs, one that has ended", async () => {
  const changes: readonly string[] = [
    ...["launch", "attach", "restart", "disconnect", "pause", "terminate", "terminateThreads"],
  ];
  const all = async (session: LiveSession, point: string) => {
    let refused = 0;
    for (const command of NAMES.filter((each) => !changes.includes(each))) {
      const answer = await session.ask(command, LEAST_ARGUMENTS[command]);
      check(answer, `${command}, ${point}`);
      if (answer.refusal !== undefined) refused++;
    }
    return refused;
  };
  const session = new LiveSession();
  expect(await all(session, "no machine")).toBeGreaterThan(25);
  await session.begin();
  await session.ask("continue", { threadId: 1 });
  expect(await all(session, "running")).toBeGreaterThan(5);
  await session.ask("terminate", {});
  expect(await all(session, "ended")).toBeGreaterThan(5);
  await session.ask("disconnect", {});
  expect(await all(session, "no machine again")).toBeGreaterThan(25);
});

const TEXTS = [
  "$rax",
  "run_guest",
  "vmexit:*",
  "hpa:0x1000",
  "gva@g1:0x7c00",
  "hpa:0x1000,8",
  "reg:guest:rax",
  "0x110000000000007c00",
  "exit",
  "1 + ",
  "vmcb.",
  "AAAA",
  "\0",
  LONG,
];
const NUMBERS = [0, 1, 2, 3, 7, 16, 60, 400, -1, -200, 65_536, 2 ** 31, 2 ** 53, 0.5, Number.NaN];

/** A value that may be right for an argument of that name, or is not. */
function valueFor(name: string, next: () => number): unknown {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  if (next() < 0.2) return pick(WRONG);
  if (name === "breakpoints" || name === "filterOptions") {
    return Array.from({ length: Math.floor(next() * 4) }, () => ({
      line: pick(NUMBERS),
      name: pick(TEXTS),
      dataId: pick(TEXTS),
      event: pick(TEXTS),
      filterId: pick(["exit", "exit:MSR", "shutdown", "none"]),
      instructionReference: pick(TEXTS),
      ...(next() < 0.5 ? { condition: pick(TEXTS) } : {}),
      ...(next() < 0.3 ? { hitCondition: pick(["1", "> 3", "% 2", "often"]) } : {}),
    }));
  }
  if (/Reference$|^data$|^name$|^value$|^text$|^expression$/.test(name)) return pick(TEXTS);
  if (/^(supports|is|single|terminate|suspend|allow|resolve|as|user)/.test(name))
    return next() < 0.5;
  return pick(NUMBERS);
}

const ENDS: ReadonlySet<string> = new Set([
  "launch",
  "restart",
  "disconnect",
  "terminate",
  "terminateThreads",
]);

test(`3,000 random requests (seed ${seed})`, async () => {
  const next = randomFraction(seed);
  let answered = 0;
  for (let i = 0; i < 3000; ) {
    const command = NAMES[Math.floor(next() * NAMES.length)] as RequestName;
    if (ENDS.has(command) && next() < 0.9) continue;
    i++;
    const args: Record<string, unknown> = { ...LEAST_ARGUMENTS[command] };
    for (const name of Object.keys(ARGUMENTS[command])) {
      if (next() < 0.5) args[name] = valueFor(name, next);
    }
    const answer = await live.ask(command, args);
    check(answer, `seed ${seed} #${i} ${command} ${short(args)}`);
    if (answer.refusal === undefined) answered++;
    if (next() < 0.7) await live.repair();
  }
  expect(answered).toBeGreaterThan(500);
  await live.ask("disconnect", {});
  await live.repair();
  const before = await live.step();
  expect(await live.step()).toMatch(/^0x[0-9a-f]+/);
  expect(await live.step()).not.toBe(before);
}, 240_000);
