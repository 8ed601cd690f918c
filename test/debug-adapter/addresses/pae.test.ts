// Addresses under another hypervisor: a 32-bit PAE host and PAE nested tables.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ReverseTranslateBody, TranslateBody } from "../../../debug-adapter/protocol.ts";
import { type AdapterClient, startClient, WARDEN } from "../../harness/dap-adapter.ts";

let client: AdapterClient;
beforeAll(async () => {
  client = await startClient();
  await client.runTo({ filters: ["exit"] }, { ...WARDEN, serial: ["null"] });
}, 120_000);
afterAll(() => client.stop());

const translate = async (memoryReference: string): Promise<TranslateBody> =>
  (await client.customRequest("minvisor/translate", { memoryReference })).body;

test("every frame's code is the same bytes at its virtual and its host-physical address", async () => {
  const frames = await client.frames();
  const worlds = new Set<string>();
  for (const { instructionPointerReference: reference } of frames) {
    if (reference === undefined) continue;
    worlds.add(reference.slice(0, 3));
    const { hpa = "", walk, target } = await translate(reference);
    expect(target).toEqual({ kind: "RAM" });
    expect(walk.length).toBeGreaterThan(0);
    const read = async (memoryReference: string) =>
      (await client.customRequest("readMemory", { memoryReference, count: 16 })).body.data;
    expect(await read(reference)).toBe(await read(hpa));
  }
  expect([...worlds].sort()).toEqual(["gva", "hva"]);
});

test("walks have PAE's levels, and the way back finds the way there", async () => {
  const references = (await client.frames()).flatMap(
    (frame) => frame.instructionPointerReference ?? [],
  );
  for (const reference of references) {
    const { walk, hpa, memoryReference } = await translate(reference);
    const stage = reference.startsWith("hva") ? "host" : "nested";
    const names = walk.filter((entry) => entry.stage === stage).map(({ name }) => name);
    expect(names.slice(-3).join(" ")).toMatch(/PDPE PDE( PTE)?$/);
    const { body } = await client.customRequest("minvisor/reverseTranslate", {
      memoryReference: hpa,
    });
    const found = (body as ReverseTranslateBody).mappings.map((each) => each.memoryReference);
    expect(found).toContain(memoryReference);
  }
});

test("32-bit rows, and what lies beyond 4 GiB", async () => {
  const [frame] = await client.frames();
  const memoryReference = frame?.instructionPointerReference ?? "";
  const { body } = await client.disassembleRequest({ memoryReference, instructionCount: 40 });
  const text = (body?.instructions ?? []).map(({ instruction }) => instruction).join("\n");
  expect(text).toMatch(/%e[a-d]x|%es[ip]|%ebp/);
  expect(text).not.toMatch(/%r[a-d]x|%rs[ip]/);
  const beyond = await translate("hva:0x100000000");
  expect(beyond.fault).toMatchObject({ kind: "#PF" });
});
