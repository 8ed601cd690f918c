// Where a machine stands, as the status bar says it, over the real adapter; and the numbers that are typed to go there.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseCount } from "../../extension/time-travel/count.ts";
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
  });
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

describe("the history of a value", () => {
  let client: AdapterClient;
  beforeAll(async () => {
    client = await startClient();
    await client.begin(SAMPLE);
    await client.setExceptionBreakpointsRequest({ filters: ["exit:VMMCALL"] });
    await client.configurationDoneRequest();
    await client.nextStop();
  });
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
