// Memory, disassembly and translation requests as transcripts: what is answered, and what is refused.
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, startClient } from "../../harness/dap-adapter.ts";
import { Transcript } from "../../harness/dap-transcript.ts";

let client: AdapterClient;
let transcript: Transcript;
beforeEach(async () => {
  client = await startClient();
  await client.runTo({ filters: ["exit:CPUID"] });
  transcript = new Transcript(client);
});
afterEach(() => client.stop());

const base64 = (...bytes: number[]): string => Buffer.from(bytes).toString("base64");

test("translate", async () => {
  const ask = async (memoryReference: string, more: object = {}) => {
    const body = await transcript.ask<{ text: string }>("minvisor/translate", {
      memoryReference,
      ...more,
    });
    if (body !== undefined) transcript.note("text", body.text.split("\n"));
  };
  await ask("gva:0x7c00");
  await ask("gpa:0x7c00", { access: "write" });
  await ask("gpa:0x10000000");
  await ask("gpa:0xfee00000");
  await ask("hva:0x7c00", { access: "execute", user: true });
  await ask("hva:0x800000000000");
  await ask("hpa:0xfee00030");
  await ask("hpa:0xfffffffff");
  await ask("gva@g9:0x0");
  await ask("nowhere:0x0");
  await ask("gva:0x7c00", { access: "jump" });
  await transcript.ask("minvisor/translate", {});
  await expect(transcript.text).toMatchFileSnapshot("./translate.golden.txt");
});

test("reverseTranslate", async () => {
  const ask = async (args: object) => {
    const body = await transcript.ask<{ text: string }>("minvisor/reverseTranslate", args);
    if (body !== undefined) transcript.note("text", body.text.split("\n"));
  };
  await ask({ memoryReference: "hpa:0x7c00" });
  await ask({ memoryReference: "gpa:0x7c19", limit: 2 });
  await ask({ memoryReference: "gpa:0x10000000" });
  await ask({ memoryReference: "hpa:0x10000000" });
  await ask({ memoryReference: "hpa:0x7c00", limit: 0 });
  await ask({ memoryReference: "gpa:zero" });
  await expect(transcript.text).toMatchFileSnapshot("./reverse-translate.golden.txt");
});

test("console commands", async () => {
  const type = (expression: string, context = "repl") =>
    transcript.ask("evaluate", { expression, context });
  await type("help");
  await type("translate gva:0x7c00 write user");
  await type("reverse hpa:0x7c00");
  await type("translate");
  await type("translate gva:0x7c00 sideways");
  await type("reverse gva:0x7c00 please");
  await type("translate gva:0x7c00", "watch");
  await expect(transcript.text).toMatchFileSnapshot("./console-commands.golden.txt");
});

test("readMemory and writeMemory", async () => {
  const read = (memoryReference: string, count: number, offset?: number) =>
    transcript.ask("readMemory", {
      memoryReference,
      count,
      ...(offset === undefined ? {} : { offset }),
    });
  await read("gva:0x7c00", 16);
  await read("gpa:0x7c00", 4, -0x200);
  await read("hpa:0x1ffffff0", 64);
  await read("hpa:0xfebff000", 0x3000);
  await read("hpa:0xfee00030", 4);
  await read("hva:0xfffffffffffffff0", 64);
  await read("hva:0x10", 16, -0x20);
  await read("gva:0x7c00", 0);
  await read("gva:0x7c00", -1);
  await read("gva:0x7c00", 2 ** 40);
  await read("gva:0x7c00", 1.5);
  await read("gva:0x7c00", 4, 0.5);
  await transcript.ask("readMemory", { memoryReference: "gva:0x7c00" });
  await transcript.ask("readMemory", { count: 4 });
  const write = (memoryReference: string, data: string, more: object = {}) =>
    transcript.ask("writeMemory", { memoryReference, data, ...more });
  await write("gpa:0x5000", base64(1, 2, 3));
  await write("gpa:0x5000", base64(9), { offset: 1 });
  await read("hpa:0x5000", 3);
  await write("hpa:0x1fffffff", base64(1, 2));
  await write("hpa:0x1fffffff", base64(1, 2), { allowPartial: true });
  await write("gpa:0x10000000", base64(1, 2), { allowPartial: true });
  await write("hpa:0xfee00080", base64(1, 2, 3, 4), { allowPartial: true });
  await write("hva:0x0", base64(1), { offset: -1 });
  await write("gpa:0x5000", "not base64!");
  await write("gpa:0x5000", "");
  await expect(transcript.text).toMatchFileSnapshot("./memory.golden.txt");
});

test("disassemble", async () => {
  const ask = (memoryReference: string, instructionCount: number, more: object = {}) =>
    transcript.ask("disassemble", { memoryReference, instructionCount, ...more });
  await ask("gva:0x7c00", 6, { resolveSymbols: true });
  await ask("gva:0x7c00", 4, { instructionOffset: -2 });
  await ask("gva:0x7c00", 2, { offset: 1, instructionOffset: 1 });
  await ask("gva:0x0", 4, { instructionOffset: -2 });
  await ask("hva:0xffffffffffffffff", 3);
  await ask("gpa:0x10000010", 3, { instructionOffset: -1 });
  await ask("hpa:0xfee00030", 1);
  await ask("gva:0x7c00", 0);
  await ask("gva:0x7c00", -1);
  await ask("gva:0x7c00", 1e9);
  await ask("gva:0x7c00", 1, { instructionOffset: -1e9 });
  await ask("gva:0x7c00", Number.NaN);
  await ask("0x123456789012345678901234", 1);
  await expect(transcript.text).toMatchFileSnapshot("./disassemble.golden.txt");
});
