// VS Code's Disassembly view as a client: how its rows stay in order, as 1.100 keeps them.
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type AdapterClient, startClient } from "../../harness/dap-adapter.ts";

interface ViewRow {
  readonly address: bigint;
  readonly reference: string;
  readonly index: number;
  readonly instruction: DebugProtocol.DisassembledInstruction;
}

/** One sorted list for all references: a chunk replaces what lies between its first and last row. */
class DisassemblyView {
  rows: ViewRow[] = [];
  readonly known = new Map<string, bigint>();
  private readonly client: AdapterClient;

  constructor(client: AdapterClient) {
    this.client = client;
  }

  async load(memoryReference: string, from: number, count: number): Promise<ViewRow[]> {
    const { body } = await this.client.disassembleRequest({
      memoryReference,
      offset: 0,
      instructionOffset: from,
      instructionCount: count,
      resolveSymbols: true,
    });
    const chunk = (body?.instructions ?? []).map((instruction, i) => ({
      address: BigInt(instruction.address),
      reference: memoryReference,
      index: from + i,
      instruction,
    }));
    expect(chunk.length).toBe(count);
    const home = chunk.find(({ index }) => index === 0);
    if (home !== undefined) this.known.set(memoryReference, home.address);
    const [first] = chunk;
    const last = chunk.at(-1);
    if (first === undefined || last === undefined) return [];
    this.rows = [
      ...this.rows.filter(({ address }) => address < first.address),
      ...chunk,
      ...this.rows.filter(({ address }) => address > last.address),
    ];
    return chunk;
  }

  open(reference: string): Promise<ViewRow[]> {
    return this.load(reference, -200, 400);
  }

  /** The row of an instruction pointer; the view never finds a row whose number is 0. */
  async jump(reference: string): Promise<ViewRow | undefined> {
    if (!this.known.has(reference)) await this.load(reference, -50, 100);
    const address = this.known.get(reference);
    return address ? this.rows.find((row) => row.address === address) : undefined;
  }

  scrollUp(): Promise<ViewRow[]> {
    const { reference, index } = this.rows[0] as ViewRow;
    return this.load(reference, index - 50, 50);
  }

  scrollDown(): Promise<ViewRow[]> {
    const { reference, index } = this.rows.at(-1) as ViewRow;
    return this.load(reference, index + 1, 50);
  }

  /** Rows ascend, and none reaches into the next or leaves bytes out before it. */
  check(): void {
    this.rows.forEach((row, i) => {
      const next = this.rows[i + 1];
      if (next === undefined) return;
      expect(next.address > row.address, `row ${row.instruction.address}`).toBe(true);
      const length = bytesOf(row).length;
      if (length === 0 || bytesOf(next).length === 0) return;
      const end = row.address + BigInt(length);
      const isGap = next.reference !== row.reference && next.address > end;
      if (!isGap) expect(next.instruction.address).toBe(`0x${end.toString(16)}`);
    });
  }
}

const bytesOf = ({ instruction }: ViewRow): string[] =>
  instruction.instructionBytes?.split(" ") ?? [];
const plain = ({ instruction }: ViewRow): string =>
  [instruction.address, instruction.instruction].join(" ");

let client: AdapterClient;
let view: DisassemblyView;
beforeAll(async () => {
  client = await startClient();
  await client.runTo({ filters: [], filterOptions: [{ filterId: "exit:CPUID" }] });
});
afterAll(() => client.stop());
beforeEach(() => {
  view = new DisassemblyView(client);
});

const pointers = async (): Promise<string[]> =>
  (await client.frames()).flatMap(({ instructionPointerReference: at }) => at ?? []);

test("the reference is the row of index 0, in the code of every frame (vscode#147163)", async () => {
  for (const reference of await pointers()) {
    const rows = await view.open(reference);
    const home = rows[200] as ViewRow;
    expect(BigInt.asUintN(64, home.address)).toBe(BigInt(reference.split(":").at(-1) ?? ""));
    expect(home.instruction.presentationHint).toBeUndefined();
    view.check();
  }
});

test("frames of one space merge: each keeps its row and nothing overlaps", async () => {
  const all = await pointers();
  for (const reference of all) expect(await view.jump(reference)).toBeDefined();
  view.check();
  for (const reference of all) expect(await view.jump(reference)).toBeDefined();
});

test("scrolling by 50 rows shows what one large request shows", async () => {
  const [reference = ""] = await pointers();
  await view.open(reference);
  for (let i = 0; i < 12; i++) {
    await view.scrollUp();
    await view.scrollDown();
  }
  view.check();
  const whole = new DisassemblyView(client);
  await whole.load(reference, -800, 1600);
  expect(view.rows.map(plain)).toEqual(whole.rows.map(plain));
  // Source lines begin where the line changes, wherever a chunk began.
  const locations = view.rows.filter(({ instruction }) => instruction.location !== undefined);
  expect(locations.length).toBeGreaterThan(100);
});

test("rows with source lines are right when the view opens first (vscode#192831)", async () => {
  const [reference = ""] = await pointers();
  const [{ line, source } = { line: 0, source: undefined }] = await client.frames();
  const first = (await view.open(reference)).map(({ instruction }) => instruction);
  await view.scrollUp();
  await view.scrollDown();
  const later = view.rows.slice(50, 450).map(({ instruction }) => instruction);
  expect(later).toEqual(first);
  // The view takes a row without a location to be of the line above it.
  const home = first.slice(0, 201).findLast(({ location }) => location !== undefined);
  expect(home).toMatchObject({ line, location: { path: source?.path } });
});

test("address 0 can be shown and scrolled past (vscode#140562)", async () => {
  for (const reference of ["hva:0x0", "gva:0x0"]) {
    const row = await view.jump(reference);
    expect(row?.index).toBe(0);
    expect(bytesOf(row as ViewRow).length).toBeGreaterThan(0);
    for (let i = 0; i < 3; i++) expect((await view.scrollUp()).length).toBe(50);
    view.check();
    expect(await view.jump(reference)).toBeDefined();
  }
});

test("the end of the address space gives all rows asked for", async () => {
  const rows = await view.load("hva:0xfffffffffffffff0", -20, 60);
  expect(rows[20]?.instruction.presentationHint).toBe("invalid");
  view.check();
});

test("spaces with equal numbers do not mix (vscode#291642)", async () => {
  const references = [
    "gva:0x7c00",
    "hva:0x7c00",
    "gpa:0x7c00",
    "hpa:0x7c00",
    "gva@g1/0x1000:0x7c00",
  ];
  const before = new Map<string, string[]>();
  for (const reference of references)
    before.set(reference, (await view.open(reference)).map(plain));
  view.check();
  expect(view.rows.length).toBe(400 * references.length);
  for (const reference of references) {
    const mine = view.rows.filter((row) => row.reference === reference);
    expect(mine.map(plain)).toEqual(before.get(reference));
    expect((await view.jump(reference))?.reference).toBe(reference);
  }
  // Symbols belong to one space; the code size is the one in which the CPU ran these bytes.
  const textOf = async (reference: string, after: number) => {
    const row = await view.jump(reference);
    return view.rows[view.rows.indexOf(row as ViewRow) + after]?.instruction.instruction;
  };
  expect(await textOf("gva:0x7c00", 0)).toBe("<start>: cli");
  expect(await textOf("hva:0x7c00", 0)).toBe("cli");
  expect(await textOf("hva:0x7c00", 2)).toBe("xor %ax,%ax");
});

test("a row's number is a reference: memory, disassembly, translation", async () => {
  const row = await view.jump("gva:0x7c00");
  const number = row?.instruction.address ?? "";
  const { body } = await client.customRequest("readMemory", { memoryReference: number, count: 2 });
  expect(Buffer.from(body.data, "base64")).toEqual(Buffer.from([0xfa, 0xfc]));
  const again = await view.load(number, 0, 1);
  expect(again[0]?.address).toBe(row?.address);
  const translated = await client.customRequest("minvisor/translate", { memoryReference: number });
  expect(translated.body.memoryReference).toBe("gva@g1/0x0:0x7c00");
});

test("a breakpoint is set on a row as the view does, or by the row's number", async () => {
  const [reference = ""] = await pointers();
  const rows = await view.open(reference);
  const [home, next] = [rows[200] as ViewRow, rows[201] as ViewRow];
  const byOffset = { instructionReference: reference, offset: Number(next.address - home.address) };
  const byNumber = { instructionReference: next.instruction.address };
  for (const breakpoint of [byOffset, byNumber]) {
    const { body } = await client.customRequest("setInstructionBreakpoints", {
      breakpoints: [breakpoint],
    });
    const [set] = body.breakpoints;
    expect(set).toMatchObject({ verified: true });
    const linear = BigInt.asUintN(64, next.address).toString(16);
    expect(set?.instructionReference).toMatch(new RegExp(`^hva.*:0x${linear}$`));
  }
  await client.customRequest("setInstructionBreakpoints", { breakpoints: [] });
});

test("functions can be opened by name, before they run (vscode#129762)", async () => {
  const { memoryReference } = (await client.evaluateRequest({ expression: "run_guest" })).body;
  const rows = await view.open(memoryReference ?? "");
  expect(rows[200]?.instruction).toMatchObject({ symbol: "run_guest" });
  expect(rows[200]?.instruction.instruction).toMatch(/^<run_guest>: /);
  expect(rows.some(({ instruction }) => /^call .*<\w+>$/.test(instruction.instruction))).toBe(true);
});

test("each instruction that is stepped to has its row", async () => {
  for (let i = 0; i < 25; i++) {
    const [reference = ""] = await pointers();
    expect(await view.jump(reference), reference).toBeDefined();
    view.check();
    await client.go("stepIn", true);
  }
});
