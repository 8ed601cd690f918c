// Requests about addresses with arguments that nobody should send: an answer or a clear sentence.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type AdapterClient, startClient } from "../../harness/dap-adapter.ts";
import { randomFraction, testSeed } from "../../harness/random.ts";

const seed = testSeed(70_000);

let client: AdapterClient;
beforeAll(async () => {
  client = await startClient();
  await client.runTo({ filters: ["exit:CPUID"] });
});
afterAll(() => client.stop());

const REFERENCES: readonly unknown[] = [
  ...[
    "hpa:0x0",
    "hpa:0xfffffffffffff",
    "hpa:0xffffffffffffffff",
    "hpa:0xfee00fff",
    "hpa:0x1fffffff",
  ],
  ...["hva:0x0", "hva:0x7fffffffffff", "hva:0xffff800000000000", "hva@0xffffffffffffffff:0x7c00"],
  ...["gpa:0x7fff", "gpa:0xffffffffffffffff", "gpa@g99999:0x0", "gva@g1/0xfff:0xfff", "gva:0x7c00"],
  ...[
    "gva@g1/0xffffffffffffffffffffff:0x0",
    "0x200000000000007c00",
    "0x110000000000000000",
    "-1",
    "::",
  ],
  ...[0x7c00, null, true, {}, [], "", undefined],
];
const NUMBERS: readonly unknown[] = [
  ...[0, 1, -1, 15, 16, 4096, 10_000, -10_000, 100_000, 65_536, 16 * 2 ** 20, 16 * 2 ** 20 + 1],
  ...[
    2 ** 31,
    2 ** 53,
    -(2 ** 53),
    1e308,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    0.5,
    "8",
    null,
    {},
  ],
  undefined,
];
const COMMANDS: readonly (readonly [string, ...string[]])[] = [
  ["readMemory", "offset", "count"],
  ["writeMemory", "offset", "data"],
  ["disassemble", "offset", "instructionOffset", "instructionCount"],
  ["minvisor/translate", "access", "user"],
  ["minvisor/reverseTranslate", "limit"],
];
const OTHERS: readonly unknown[] = [
  "read",
  "write",
  "execute",
  true,
  "AAAA",
  "A",
  "",
  7,
  null,
  undefined,
];

test(`an answer or one sentence, and never an internal error (seed ${seed})`, async () => {
  const next = randomFraction(seed);
  const pick = (list: readonly unknown[]) => list[Math.floor(next() * list.length)];
  let answered = 0;
  let refused = 0;
  for (let i = 0; i < 600; i++) {
    const [command, ...names] = COMMANDS[i % COMMANDS.length] ?? ["readMemory"];
    const args: Record<string, unknown> = { memoryReference: pick(REFERENCES) };
    for (const name of names)
      args[name] = pick(next() < 0.8 && !/data|access|user/.test(name) ? NUMBERS : OTHERS);
    const where = `#${i} ${command} ${JSON.stringify(args)}`;
    try {
      await client.customRequest(command, args);
      answered++;
    } catch (caught) {
      const { message } = caught as Error;
      expect(message, where).toMatch(/^[^\n]{3,300}[.]$/);
      expect(message, where).not.toMatch(/Internal error|undefined is not|Cannot /);
      refused++;
    }
  }
  expect(answered).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(200);
}, 120_000);
