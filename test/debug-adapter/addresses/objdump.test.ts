// Rows of the hypervisor's code against objdump: the same instructions at the same addresses.
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AdapterClient, inRepository, startClient } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
beforeAll(async () => {
  client = await startClient();
  await client.runTo({ filters: ["exit:CPUID"] });
});
afterAll(() => client.stop());

interface Listed {
  readonly address: bigint;
  readonly bytes: string;
}

/** Instructions of objdump's listing; it breaks long ones into lines that only go on. */
function listing(start: bigint, end: bigint): Listed[] {
  const range = [`--start-address=${start}`, `--stop-address=${end}`];
  const elf = inRepository("minvisor/build/minvisor.elf");
  const text = execFileSync("objdump", ["-d", "-w", ...range, elf], { encoding: "utf8" });
  return [...text.matchAll(/^ *([0-9a-f]+):\t([0-9a-f ]+?) *\t/gm)].map(([, address, bytes]) => ({
    address: BigInt(`0x${address}`),
    bytes: (bytes ?? "").trim(),
  }));
}

test("forwards from a function, backwards from the present instruction", async () => {
  const [frame] = await client.frames();
  const pointer = frame?.instructionPointerReference ?? "";
  const main = (await client.evaluateRequest({ expression: "minvisor_main" })).body;
  const ask = async (
    memoryReference: string,
    instructionOffset: number,
    instructionCount: number,
  ) => {
    const { body } = await client.disassembleRequest({
      memoryReference,
      instructionOffset,
      instructionCount,
    });
    return (body?.instructions ?? []).map(({ address, instructionBytes }) => ({
      address: BigInt.asUintN(64, BigInt(address)),
      bytes: instructionBytes ?? "",
    }));
  };
  for (const [reference, skip, count] of [
    [main.memoryReference ?? "", 0, 600],
    [pointer, -1000, 1000],
  ] as const) {
    const rows = await ask(reference, skip, count);
    const first = rows[0]?.address ?? 0n;
    const last = rows.at(-1)?.address ?? 0n;
    const expected = listing(first, last + 16n).filter(({ address }) => address <= last);
    expect(expected.length).toBeGreaterThan(500);
    const known = new Map(rows.map(({ address, bytes }) => [address, bytes]));
    const missed = expected.filter(({ address, bytes }) => known.get(address) !== bytes);
    expect(missed.map(({ address, bytes }) => `${address.toString(16)} ${bytes}`)).toEqual([]);
    expect(rows.length).toBe(expected.length);
  }
});
