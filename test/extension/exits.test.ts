// The view of all exits without its page: rows on demand over the real adapter, the window, keys, the drawing.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  ExitDensityArguments,
  ExitDensityBody,
  ExitLedgerArguments,
  ExitLedgerBody,
} from "../../debug-adapter/protocol.ts";
import {
  EXIT_COLUMNS,
  exitHint,
  groupColumns,
  sortedBy,
  within,
} from "../../extension/exits/exit-columns.ts";
import { ALL_EXITS, ExitStore, isGroup, PAGE_ROWS } from "../../extension/exits/exit-store.ts";
import { exitsHtml } from "../../extension/exits/exits-html.ts";
import { MAX_HEIGHT, ROW_HEIGHT, RowWindow, rowOfKey } from "../../extension/exits/row-window.ts";
import { RunningLook } from "../../extension/exits/running-look.ts";
import { emptyText, TimeAxis } from "../../extension/exits/time-axis.ts";
import { buildImage, ENABLE_SVM, multibootSource } from "../emulator/loader/build-image.ts";
import { type AdapterClient, startClient } from "../harness/dap-adapter.ts";

let client: AdapterClient;
beforeAll(async () => {
  client = await startClient();
  await client.runTo({ filters: ["exit:VMMCALL"] });
}, 60_000);
afterAll(() => client.stop());

const asked: ExitLedgerArguments[] = [];
async function ask(args: ExitLedgerArguments): Promise<ExitLedgerBody> {
  asked.push(args);
  return (await client.send("minvisor/exitLedger", args)).body;
}
const draw = async (args: ExitDensityArguments): Promise<ExitDensityBody> =>
  (await client.send("minvisor/exitDensity", args)).body;

describe("the store", () => {
  test("has what was chosen, in the order of its column, and where the present exit is", async () => {
    const store = new ExitStore(ask, () => {});
    await store.choose(ALL_EXITS);
    const { total } = store;
    expect(store.length).toBe(total);
    expect(store.here).toEqual({ exit: total, index: total - 1 });
    await store.choose({ ...ALL_EXITS, filter: "IOIO", sort: "cost", descending: true });
    expect(store.length).toBeLessThan(total);
    const items = Array.from({ length: Math.min(store.length, PAGE_ROWS) }, (_, i) => store.at(i)!);
    const costs = items.map((item) => (isGroup(item) ? 0 : item.cost!));
    expect(costs).toEqual([...costs].sort((a, b) => b - a));
  });

  test("has groups, and a group's filter leads to its exits", async () => {
    const store = new ExitStore(ask, () => {});
    await store.choose({ ...ALL_EXITS, groupBy: "port" });
    const group = store.at(0)!;
    if (!isGroup(group)) throw new Error("no group");
    const texts = groupColumns("port").map(({ of }) => of(group));
    expect(texts[0]).toMatch(/^0x[\da-f]+/);
    expect(texts[1]).toBe(String(group.count));
    await store.choose(within(store.query, group));
    expect(store.length).toBe(group.count);
    expect(store.query).toMatchObject({ filter: group.filter, groupBy: undefined });
  });

  test("a bad filter is a problem until the next choice", async () => {
    const store = new ExitStore(ask, () => {});
    await store.choose({ ...ALL_EXITS, filter: "cost~5" });
    expect(store.problem).toMatch(/"cost~5" is no condition/);
    expect(store.length).toBe(0);
    await store.choose(ALL_EXITS);
    expect(store.problem).toBeUndefined();
  });

  test("asks for a page once until it is refreshed, and shows the old until the new comes", async () => {
    const store = new ExitStore(ask, () => {});
    await store.choose(ALL_EXITS);
    asked.length = 0;
    await store.want(0, PAGE_ROWS - 1);
    expect(asked).toEqual([]);
    await store.want(PAGE_ROWS - 1, PAGE_ROWS);
    expect(asked.map(({ start }) => start)).toEqual([PAGE_ROWS]);
    const refreshed = store.refresh(0, 5);
    expect(store.at(0)).toBeDefined();
    await refreshed;
    expect(asked.map(({ start }) => start)).toEqual([PAGE_ROWS, 0]);
  });

  test("an answer that comes after another choice is not shown", async () => {
    const answers: (() => void)[] = [];
    const store = new ExitStore(
      async (args) => {
        const body = await ask(args);
        await new Promise<void>((resolve) => answers.push(resolve));
        return body;
      },
      () => {},
    );
    const waitFor = async (count: number) => {
      while (answers.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    const first = store.choose(ALL_EXITS);
    await waitFor(1);
    const second = store.choose({ ...ALL_EXITS, filter: "number=3" });
    await waitFor(2);
    answers[1]!();
    await second;
    answers[0]!();
    await first;
    expect(store.length).toBe(1);
    expect(store.at(0)).toMatchObject({ number: 3 });
  });
});

/** Has VMCBs of zeros refused for ever: exits without end. */
const ENDLESS = `
  ${ENABLE_SVM}
again:
  mov $200, %ecx
  loop .
  mov $0x300000, %eax
  .byte 0x0f, 0x01, 0xd8
  jmp again`;

describe("while the machine runs", () => {
  test("the store grows from look to look", async () => {
    const folder = mkdtempSync(join(tmpdir(), "endless-"));
    const kernel = join(folder, "endless.elf");
    writeFileSync(kernel, buildImage(multibootSource(3, "", ENDLESS)));
    const running = await startClient();
    try {
      await running.begin({ kernel, memory: "8M", invariants: false });
      await running.configurationDoneRequest();
      const asks = async (args: ExitLedgerArguments) =>
        (await running.send("minvisor/exitLedger", args)).body;
      const store = new ExitStore(asks, () => {});
      const lengths: number[] = [];
      await new Promise<void>((resolve) => {
        const look = new RunningLook(
          async () => {
            await store.refresh(0, 5);
            if (store.length > (lengths.at(-1) ?? 0)) lengths.push(store.length);
            if (lengths.length === 3) resolve();
            look.become(lengths.length < 3);
          },
          (callback) => {
            const timer = setTimeout(callback, 1);
            return () => clearTimeout(timer);
          },
        );
        look.become(true);
      });
      expect(store.at(0)).toMatchObject({ number: 1, reason: "INVALID" });
      expect((await running.status()).running).toBe(true);
    } finally {
      await running.stop();
      rmSync(folder, { recursive: true });
    }
  }, 60_000);

  test("there is one look at a time, and none once it stands still", async () => {
    const due: (() => void)[] = [];
    const looks: (() => void)[] = [];
    const look = new RunningLook(
      () => new Promise<void>((resolve) => looks.push(resolve)),
      (callback) => {
        due.push(callback);
        return () => due.splice(due.indexOf(callback), 1);
      },
    );
    look.become(true);
    look.become(true);
    expect(due).toHaveLength(1);
    due.shift()!();
    look.become(true);
    expect([due.length, looks.length]).toEqual([0, 1]);
    looks.shift()!();
    await new Promise((resolve) => setImmediate(resolve));
    expect(due).toHaveLength(1);
    look.become(false);
    expect(due).toEqual([]);
    look.become(true);
    due.shift()!();
    look.become(false);
    looks.shift()!();
    await new Promise((resolve) => setImmediate(resolve));
    expect(due).toEqual([]);
  });
});

describe("columns", () => {
  test("are those of the exit, with what it is about in words", async () => {
    const { rows } = await ask({ filter: "IOIO", count: 1 });
    const [number, reason, guest, icount, , rip, info] = EXIT_COLUMNS.map(({ of }) => of(rows[0]!));
    expect([number, reason, guest]).toEqual([String(rows[0]!.number), "IOIO", "1"]);
    expect(icount).toMatch(/^\d{1,3}(,\d{3})*$/);
    expect(rip).toMatch(/^0x7c[\da-f]{2} \w+/);
    expect(info).toMatch(/^(?:in|out) 0x/);
    expect(exitHint(rows[0]!)).toContain(`EXITINFO1 ${rows[0]!.exitinfo1}`);
  });

  test("a title sorts up, then down, and another up again", () => {
    const up = sortedBy(ALL_EXITS, "cost");
    expect(up).toMatchObject({ sort: "cost", descending: false });
    expect(sortedBy(up, "cost")).toMatchObject({ sort: "cost", descending: true });
    expect(sortedBy(sortedBy(up, "cost"), "rip")).toMatchObject({ sort: "rip", descending: false });
  });
});

describe("the window", () => {
  test("of few rows is as high as they are", () => {
    const view = new RowWindow();
    view.resize(100, 220);
    expect([view.height, view.scale, view.first, view.last]).toEqual([2200, 1, 0, 9]);
    view.scrollTop = 33;
    expect([view.first, view.last, view.topOf(1)]).toEqual([1, 11, -11]);
    view.resize(3, 220);
    expect([view.offset, view.first, view.last]).toEqual([0, 0, 2]);
    view.resize(0, 220);
    expect([view.first, view.last]).toEqual([0, -1]);
  });

  test.each([1_000_000, 50_000_000])(
    "reaches each of %d rows below the greatest height",
    (rows) => {
      const view = new RowWindow();
      view.resize(rows, 400);
      expect(view.height).toBe(MAX_HEIGHT);
      view.scrollTop = MAX_HEIGHT - 400;
      expect(view.last).toBe(rows - 1);
      expect(view.topOf(rows)).toBeCloseTo(400, 3);
      for (const row of [0, 1, 12_345, rows >> 1, rows - 2, rows - 1]) {
        view.reveal(row);
        expect(view.topOf(row)).toBeGreaterThanOrEqual(0);
        expect(view.topOf(row) + ROW_HEIGHT).toBeLessThanOrEqual(400);
        const { offset } = view;
        view.scrollTop = Math.round(view.scrollTop); // as a browser keeps it
        expect(Math.abs(view.offset - offset)).toBeLessThan(view.scale);
      }
    },
  );

  test("a row already in view stays where it is; another comes by the shortest way or to the middle", () => {
    const view = new RowWindow();
    view.resize(1000, 220);
    view.show(9);
    expect(view.offset).toBe(0);
    view.show(10);
    expect(view.offset).toBe(ROW_HEIGHT);
    view.show(0);
    expect(view.offset).toBe(0);
    view.reveal(500);
    expect(view.topOf(500)).toBe(110 - ROW_HEIGHT / 2);
    view.reveal(502);
    expect(view.topOf(500)).toBe(110 - ROW_HEIGHT / 2);
  });

  test("keys move within the rows", () => {
    const view = new RowWindow();
    view.resize(100, 220);
    const path = [
      "ArrowDown",
      "PageDown",
      "ArrowUp",
      "End",
      "ArrowDown",
      "PageUp",
      "Home",
      "ArrowUp",
    ];
    let row = 0;
    const rows = path.map((key) => (row = rowOfKey(key, row, view)!));
    expect(rows).toEqual([1, 11, 10, 99, 99, 89, 0, 0]);
    expect(rowOfKey("x", 5, view)).toBeUndefined();
    view.resize(0, 220);
    expect(rowOfKey("End", 0, view)).toBeUndefined();
  });
});

describe("the drawing", () => {
  async function axisOf(buckets: number): Promise<TimeAxis> {
    const axis = new TimeAxis();
    axis.take(await draw({ buckets }));
    return axis;
  }

  test("stacks every reason that is shown, up to the fullest piece", async () => {
    const axis = await axisOf(40);
    const tops = new Map<number, number>();
    for (const { bucket, bottom, top } of axis.bars()) {
      expect(bottom).toBe(tops.get(bucket) ?? 0);
      tops.set(bucket, top);
    }
    expect(Math.max(...tops.values())).toBeCloseTo(1);
    const { most } = axis;
    axis.hidden.add(axis.reasons[0]!);
    expect(axis.bars().some(({ reason }) => reason === axis.reasons[0])).toBe(false);
    expect(axis.most).toBeLessThan(most);
  });

  test("a place is an icount and back; what is there is said", async () => {
    const axis = await axisOf(40);
    const { endIcount, icount } = axis.density;
    expect([axis.icountAt(0), axis.icountAt(1)]).toEqual([0, endIcount]);
    for (const at of [0, 1, 12_345, endIcount]) expect(axis.icountAt(axis.partOf(at))).toBe(at);
    expect(axis.textAt(0)).toMatch(/^icount 0 to [\d,]+: no exits$/);
    expect(axis.textAt(axis.partOf(icount))).toMatch(/ exits? \(.*VMMCALL 1/);
  });

  test("zooms to what is dragged over, and back", async () => {
    const axis = await axisOf(40);
    axis.zoomTo(0.75, 0.25);
    const { from, to } = axis.zoomed!;
    expect(from).toBe(axis.icountAt(0.25));
    axis.take(await draw({ ...axis.zoomed, buckets: 40 }));
    expect([axis.icountAt(0), axis.icountAt(1)]).toEqual([from, to]);
    expect(axis.partOf(0)).toBeLessThan(0);
    axis.zoomBy(8, from);
    expect(axis.zoomed).toBeUndefined();
  });

  test("keys move, zoom around, go there and come back to the whole", async () => {
    const axis = await axisOf(40);
    const { endIcount } = axis.density;
    expect(axis.key("Home")).toBe("draw");
    expect(axis.cursor).toBe(0);
    for (let i = 0; i < 20; i++) axis.key("ArrowRight");
    const cursor = axis.cursor!;
    expect(Math.abs(cursor - endIcount / 2)).toBeLessThan(100);
    expect(axis.key("+")).toBe("ask");
    const { from, to } = axis.zoomed!;
    expect(to - from).toBeCloseTo(endIcount / 2, -2);
    expect(from).toBeLessThan(cursor);
    expect(to).toBeGreaterThan(cursor);
    expect(axis.key("Enter")).toBe("go");
    expect(axis.cursor).toBe(cursor);
    expect(axis.key("Escape")).toBe("ask");
    expect(axis.zoomed).toBeUndefined();
    expect(axis.key("End")).toBe("draw");
    expect(axis.cursor).toBe(endIcount);
    expect(axis.key("q")).toBeUndefined();
  });

  test("zooming in stays within the recording, however far", async () => {
    const axis = await axisOf(10);
    for (let i = 0; i < 60; i++) {
      axis.key("+");
      const { from, to } = axis.zoomed!;
      expect(from).toBeGreaterThanOrEqual(0);
      expect(to).toBeGreaterThan(from);
      axis.take(await draw({ ...axis.zoomed, buckets: 10 }));
    }
    expect(axis.zoomed!.to - axis.zoomed!.from).toBe(1);
  });
});

test("what is empty says why", () => {
  expect(emptyText("none", "")).toContain("start one");
  expect(emptyText("stopped", "NPF")).toContain("filter");
  expect(emptyText("stopped", "")).toContain("VMRUN");
});

test("only the page's own script and style may run in it", () => {
  const html = exitsHtml({ script: "s.js", style: "s.css", cspSource: "https://own" });
  expect(html).toContain("default-src 'none'; style-src https://own; script-src https://own;");
  expect(html).not.toMatch(/ style="| on\w+="/);
});
