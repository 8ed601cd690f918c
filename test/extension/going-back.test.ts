// Where a machine stands, as the status bar says it, over the real adapter; and the numbers that are typed to go there.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseCount } from "../../extension/time-travel/count.ts";
import {
  comparisonDocuments,
  comparisonTitle,
  futureItems,
} from "../../extension/time-travel/future-text.ts";
import { historyTitle, placeOfVariable, writeItems } from "../../extension/time-travel/history.ts";
import { type Position, positionHint, positionText } from "../../extension/time-travel/position.ts";
import { type AdapterClient, SAMPLE, startClient } from "../harness/dap-adapter.ts";

describe("the position", () => {
  let client: AdapterClient;
  beforeAll(async () => {
    client = await startClient();
    await client.begin({ ...SAMPLE, stopOnEntry: true });
    await client.setExceptionBreakpointsRequest({ filters: ["exit:VMMCALL"] });
    await client.configurationDoneRequest();
    await client.nextStop();
  }, 60_000);
  afterAll(() => client.stop());

  async function position(): Promise<Position> {
    const { world } = await client.status();
    return { world, timeline: (await client.send("minvisor/timeline", {})).body };
  }

  test("at the beginning has no exit", async () => {
    expect(positionText(await position())).toBe("host · before the first exit · icount 0");
  });

  test("at the end of the recording, in the past, and back", async () => {
    await client.go("continue");
    const end = await position();
    const { exit, icount } = end.timeline;
    const grouped = icount.toLocaleString("en-US");
    expect(grouped).toContain(",");
    expect(positionText(end)).toBe(`host · exit ${exit} · icount ${grouped}`);
    expect(positionHint(end)).toBe("At the end of the recording; click to go to an exit");

    await client.send("minvisor/seek", { exit: 2 });
    await client.nextStop();
    const past = await position();
    expect(positionText(past)).toMatch(
      new RegExp(`^host · exit 2 of ${exit} · icount [\\d,]+ · in the past$`),
    );
    expect(positionHint(past)).toBe(
      `The recording ends at icount ${grouped}, after exit ${exit}; click to go there`,
    );

    await client.send("minvisor/seek", { to: "end" });
    await client.nextStop();
    expect(positionText(await position())).toBe(positionText(end));
  });
});

describe("futures", () => {
  let client: AdapterClient;
  beforeAll(async () => {
    client = await startClient();
    await client.begin(SAMPLE);
    await client.setExceptionBreakpointsRequest({ filters: ["exit:CPUID"] });
    await client.configurationDoneRequest();
    await client.nextStop();
    await client.send("minvisor/seek", { exit: 20 });
    await client.nextStop();
    await client.send("minvisor/allowFork", {});
    // The guest returns from where it prints.
    const { body } = await client.send("evaluate", { expression: "$vmcb.RIP", context: "repl" });
    const memoryReference = `gpa:${/^0x[\da-f]+/.exec(body.result)![0]}`;
    await client.send("writeMemory", { memoryReference, data: "w5A=" });
    await client.go("continue");
  }, 60_000);
  afterAll(() => client.stop());

  test("are rows with what began them, and stand in the status bar", async () => {
    const { body } = await client.send("minvisor/futures", {});
    const [first, second] = futureItems(body.futures);
    expect(first).toMatchObject({ label: "Future 1", description: "", future: 1 });
    expect(first!.detail).toMatch(
      /^the run without changes; ends at icount [\d,]+ after 37 exits$/,
    );
    expect(second).toMatchObject({ label: "Future 2", description: "the machine is here" });
    expect(second!.detail).toMatch(
      /^2 bytes written to hpa:0x[\da-f]+ in future 1 after exit 20, icount [\d,]+; ends at icount [\d,]+ after \d+ exits$/,
    );
    const { world } = await client.status();
    const timeline = (await client.send("minvisor/timeline", {})).body;
    expect(positionText({ world, timeline })).toMatch(/ · future 2 of 2$/);
  });

  test("are compared as two documents of the same lines", async () => {
    const { body } = await client.send("minvisor/compareFutures", { a: 1, b: 2, count: 3 });
    expect(comparisonTitle(body)).toMatch(
      /^Future 1 and 2, which part after exit 20 at icount [\d,]+$/,
    );
    const { a, b } = comparisonDocuments(body);
    const [one, other] = [a.split("\n"), b.split("\n")];
    expect([one[0], other[0]]).toEqual(["Future 1", "Future 2"]);
    const isShared = (line: string) => /^(?:The first|CPU state|Pages of|hpa:|Console)/.test(line);
    expect(one.filter(isShared)).toEqual(other.filter(isShared));
    expect(one.filter(isShared).length).toBeGreaterThan(2);
    expect(a).toMatch(/^21 {2}IOIO {2}1 {2}[\d,]+ {2}0x7c/m);
  });
});

describe("the history of a value", () => {
  let client: AdapterClient;
  beforeAll(async () => {
    client = await startClient();
    await client.begin(SAMPLE);
    await client.setExceptionBreakpointsRequest({ filters: ["exit:VMMCALL"] });
    await client.configurationDoneRequest();
    await client.nextStop();
  }, 60_000);
  afterAll(() => client.stop());

  test("has a row a write, with where it was and who did it", async () => {
    const { body } = await client.send("minvisor/history", { name: "$vmcb.nCR3" });
    expect(historyTitle(body)).toBe("All writes of VMCB field nCR3");
    const [item] = writeItems(body);
    expect(item!.label).toMatch(/^0x0 -> 0x[0-9a-f]+$/);
    expect(item!.description).toMatch(/^host · exit 0 · icount [\d,]+$/);
    expect(item!.detail).toContain("vmcb_init");
    const page = await client.send("minvisor/history", { name: "$vmcb.EXITCODE", count: 2 });
    expect(historyTitle(page.body)).toBe("The last 2 writes of VMCB field EXITCODE");
    const none = await client.send("minvisor/history", { name: "hpa:0x1fff0000" });
    expect(historyTitle(none.body)).toMatch(/^Nothing has written hpa:0x1fff0000 since reset$/);
  });

  test("is asked for a row of the variables view by its container, else by what names it", () => {
    const variable = { name: "rax", evaluateName: "$rax" };
    expect(placeOfVariable({ container: { variablesReference: 7 }, variable })).toEqual({
      name: "rax",
      variablesReference: 7,
    });
    expect(placeOfVariable({ variable })).toEqual({ name: "$rax" });
    expect(placeOfVariable({ variable: { name: "x" } })).toBeUndefined();
    expect(placeOfVariable(undefined)).toBeUndefined();
  });
});

describe("a number that is typed", () => {
  const range = { first: 1, last: 1_000_000 };

  test.each([
    ["20000", 20_000],
    [" 20,000 ", 20_000],
    ["1_000_000", 1_000_000],
    ["0x4E20", 20_000],
  ])("%j is taken", (text, count) => expect(parseCount(text, range)).toBe(count));

  test.each(["", "-1", "1.5", "ten", "0x", ",1", "1,"])("%j is none", (text) =>
    expect(parseCount(text, range)).toBe(`"${text}" is no number: write 20000, 20,000 or 0x4e20.`),
  );

  test("outside of the recording is refused with its range", () => {
    const expected = "is not in the recording: it has 1 to 1,000,000.";
    expect(parseCount("0", range)).toBe(`0 ${expected}`);
    expect(parseCount("1000001", range)).toBe(`1,000,001 ${expected}`);
    expect(parseCount("1", { first: 1, last: 0 })).toBe("The recording has none yet.");
  });
});
