// The memory view without its page: ranges with holes, changed bytes, the window and its keys.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DebugProtocol } from "../../debug-adapter/protocol.ts";
import { disassemblyText } from "../../extension/disassembly-text.ts";
import { formatPlace, isReference, parsePlace, rowAt } from "../../extension/memory/address.ts";
import { cellText, GridState, spokenCell } from "../../extension/memory/grid-state.ts";
import { memoryHtml } from "../../extension/memory/memory-html.ts";
import { readRange, toBase64 } from "../../extension/memory/read-range.ts";
import { SeenMemory } from "../../extension/memory/seen-memory.ts";
import { type AdapterClient, startClient } from "../harness/dap-adapter.ts";
import { repository } from "../tidy/sources.ts";

const END = 1n << 64n;

describe("addresses", () => {
  test("a reference is told from an expression", () => {
    const references = ["0x1000", "12", "gpa:0x1000", "gva@g1/0x1e0a000:0xffff", " hpa : 0x10 "];
    expect(references.filter((text) => !isReference(text))).toEqual([]);
    const expressions = ["rip", "vcpu->vmcb", "gpa:rax", "0x1000 + 4", "&x", ""];
    expect(expressions.filter(isReference)).toEqual([]);
  });

  test("a place is a reference taken apart", () => {
    const place = parsePlace("gva@g1/0x1e0a000:0xffffffff81000000")!;
    expect(place).toEqual({ space: "gva@g1/0x1e0a000", address: 0xffff_ffff_8100_0000n });
    expect(formatPlace(place)).toBe("gva@g1/0x1e0a000:0xffffffff81000000");
    expect(parsePlace("hpa:0x10000000000000000")).toBeUndefined();
  });

  test("a window lies within 64 bits, on a row", () => {
    expect(rowAt(0x1234n, 10)).toBe(0x1230n);
    expect(rowAt(-5n, 10)).toBe(0n);
    expect(rowAt(END - 1n, 10)).toBe(END - 160n);
  });
});

describe("a range of the real adapter", () => {
  let client: AdapterClient;
  beforeAll(async () => {
    client = await startClient();
    await client.runTo({ filters: [], filterOptions: [{ filterId: "exit:CPUID" }] });
  });
  afterAll(() => client.stop());

  let asked = 0;
  const read = (memoryReference: string, count: number) =>
    readRange(async (offset, rest) => {
      asked++;
      const args = { memoryReference, offset, count: rest };
      return (await client.customRequest("readMemory", args)).body as NonNullable<
        DebugProtocol.ReadMemoryResponse["body"]
      >;
    }, count);

  test("without holes is one request", async () => {
    asked = 0;
    const cells = await read("gpa:0x7c00", 512);
    expect(asked).toBe(1);
    expect(cells.filter((cell) => cell === null)).toEqual([]);
    const image = readFileSync(join(repository, "test/guests/build/sample.bin"));
    expect(cells.slice(0, 16)).toEqual([...image.subarray(0, 16)]);
  });

  test("with a hole at its end, its start and in the middle", async () => {
    const end = await read("hpa:0x1ffffff0", 64);
    expect(end.map((cell) => cell === null)).toEqual(end.map((_, i) => i >= 16));
    // Between the I/O APIC and the local APIC there is nothing.
    const middle = await read("hpa:0xfebffff0", 64);
    expect(middle.slice(0, 16).every((cell) => cell === null)).toBe(true);
    expect(middle.slice(16).some((cell) => cell !== null)).toBe(true);
    expect(await read("hva:0xfffffffffffffff0", 64)).toEqual(new Array(64).fill(null));
  });

  test("shows what was written through it", async () => {
    const memoryReference = "gpa:0x5000";
    const data = toBase64(Uint8Array.of(0, 0x7f, 0xff));
    await client.customRequest("writeMemory", { memoryReference, data });
    expect((await read(memoryReference, 3)).map(cellText)).toEqual(["00", "7f", "ff"]);
  });

  test("disassembled is a line an instruction, the reference's own marked", async () => {
    const guest = (await client.frames()).find(({ name }) => name.startsWith("guest"));
    const memoryReference = guest!.instructionPointerReference!;
    const { body } = await client.customRequest("disassemble", {
      memoryReference,
      instructionOffset: -2,
      instructionCount: 5,
      resolveSymbols: true,
    });
    const { instructions } = body as NonNullable<DebugProtocol.DisassembleResponse["body"]>;
    const lines = disassemblyText(instructions, memoryReference).split("\n");
    expect(lines).toHaveLength(5);
    expect(lines.map((line) => line.startsWith("=>"))).toEqual([false, false, true, false, false]);
    expect(lines[2]).toMatch(/^=> 0{12}7c[0-9a-f]{2} .*cpuid +0f a2/);
  });
});

describe("bytes that changed", () => {
  const row = (value: number) => new Array<number>(16).fill(value);

  test("are those seen at the last stop with another value", () => {
    const seen = new SeenMemory();
    expect(seen.take(0n, [...row(1), ...row(2)])).toEqual([]);
    expect(seen.take(0n, [...row(1), ...row(3)])).toEqual([]); // still the first stop
    seen.stopped();
    const now = [...row(1), ...row(3)];
    now[5] = 9;
    expect(seen.take(0n, now)).toEqual([5]);
    expect(seen.take(16n, [...row(3), ...row(7)])).toEqual([]); // 0x20 was not seen
  });

  test("stay marked until the next stop, and are forgotten with the space", () => {
    const seen = new SeenMemory();
    seen.take(0n, row(1));
    seen.stopped();
    expect(seen.take(0n, row(2))).toHaveLength(16);
    expect(seen.take(0n, row(2))).toHaveLength(16);
    seen.stopped();
    expect(seen.take(0n, row(2))).toEqual([]);
    seen.forget();
    expect(seen.take(0n, row(4))).toEqual([]);
  });

  test("a stop at which nothing was shown changes nothing", () => {
    const seen = new SeenMemory();
    seen.take(0n, row(1));
    seen.stopped();
    seen.stopped();
    expect(seen.take(0n, row(2))).toHaveLength(16);
  });
});

describe("the window and its keys", () => {
  const grid = (address: bigint, rows = 4): GridState => {
    const state = new GridState();
    state.resize(rows);
    state.goTo(address);
    return state;
  };
  const press = (state: GridState, ...keys: string[]) => keys.map((key) => state.key(key));

  test("the cursor takes the window with it", () => {
    const state = grid(0x1008n);
    expect([state.top, state.cursor]).toEqual([0x1000n, 0x1008n]);
    press(state, "ArrowUp");
    expect([state.top, state.cursor]).toEqual([0xff0n, 0xff8n]);
    press(state, "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown");
    expect([state.top, state.cursor]).toEqual([0x1000n, 0x1038n]);
    press(state, "Home", "ArrowLeft");
    expect(state.cursor).toBe(0x102fn);
    press(state, "ArrowRight", "End");
    expect(state.cursor).toBe(0x103fn);
  });

  test("a page is as many rows as there are", () => {
    const state = grid(0x1008n);
    press(state, "PageDown");
    expect([state.top, state.cursor]).toEqual([0x1040n, 0x1048n]);
    press(state, "PageUp", "PageUp");
    expect([state.top, state.cursor]).toEqual([0xfc0n, 0xfc8n]);
  });

  test("it ends where addresses end", () => {
    const low = grid(0x8n);
    press(low, "PageUp", "ArrowUp", "Home", "ArrowLeft");
    expect([low.top, low.cursor]).toEqual([0n, 0n]);
    const high = grid(END - 1n);
    press(high, "PageDown", "ArrowDown", "ArrowRight");
    expect([high.top, high.cursor]).toEqual([END - 64n, END - 1n]);
  });

  test("two digits write a byte and go on; Escape and moving drop the first", () => {
    const state = grid(0x10n);
    expect(press(state, "7", "F")).toEqual([{}, { write: { address: 0x10n, value: 0x7f } }]);
    expect(state.cursor).toBe(0x11n);
    press(state, "a", "Escape", "b", "ArrowRight");
    expect(state.pending).toBeUndefined();
    expect(press(state, "0", "1")).toEqual([{}, { write: { address: 0x12n, value: 1 } }]);
    expect(press(state, "x", "Enter", "Tab", "Escape")).toEqual(new Array(4).fill(undefined));
  });

  test("the wheel moves the window, and the cursor only where it would leave it", () => {
    const state = grid(0x1008n);
    state.scroll(3);
    expect([state.top, state.cursor]).toEqual([0x1030n, 0x1038n]);
    state.scroll(-3);
    expect([state.top, state.cursor]).toEqual([0x1000n, 0x1038n]);
  });
});

test("a screen reader hears what a byte is", () => {
  expect(spokenCell(0x10n, 0x41, false)).toBe("0x10, 41, A");
  expect(spokenCell(0x10n, 0, true)).toBe("0x10, 00, changed");
  expect(spokenCell(0x10n, null, false)).toBe("0x10, not readable");
});

test("only our own script and style may run in the page", () => {
  const html = memoryHtml({ script: "s.js", style: "s.css", cspSource: "https://own" });
  const [, policy] = /content="([^"]*)"/.exec(html)!;
  expect(policy).toBe("default-src 'none'; style-src https://own; script-src https://own;");
  expect(html).not.toMatch(/ on\w+=|style=|<script>/);
});
