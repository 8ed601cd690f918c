/** The page of all exits: filter and groups, the drawing over time, the table; kept fresh while the machine runs. */
import type { ExitGroupKey } from "../../debug-adapter/protocol.ts";
import { counted } from "../counted.ts";
import { sortedBy, within } from "../exits/exit-columns.ts";
import { ALL_EXITS, type ExitQuery, ExitStore, isGroup } from "../exits/exit-store.ts";
import type { MachineState, ToPage } from "../exits/messages.ts";
import { RunningLook } from "../exits/running-look.ts";
import { emptyText, TimeAxis } from "../exits/time-axis.ts";
import { ask, onAnswer, ready, savedQuery, saveQuery } from "./ask.ts";
import { byId } from "./dom.ts";
import { Drawing } from "./drawing.ts";
import { Table } from "./table.ts";

/** Milliseconds from one look at a running machine to the next; shorter runs are not looked at. */
const REFRESH_MS = 1000;

const filterBox = byId<HTMLInputElement>("filter");
const groupBox = byId<HTMLSelectElement>("group");
const status = byId("status");
const empty = byId("empty");
let machine: MachineState = "none";

const store = new ExitStore((args) => ask("minvisor/exitLedger", args), show);
const table = new Table(store, {
  sort: (by) => void choose(sortedBy(store.query, by)),
  take: (item) => {
    if (isGroup(item)) void choose(within(store.query, item));
    else void go({ exit: item.number });
  },
});
const drawing = new Drawing(new TimeAxis(), {
  ask: (args) => ask("minvisor/exitDensity", args),
  go: (icount) => void go({ icount }),
  filter: () => store.query.filter,
});

/** What has gone wrong with going somewhere. */
let refusal: string | undefined;

function statusText(): string {
  if (store.problem !== undefined && machine !== "none") return store.problem;
  if (refusal !== undefined) return refusal;
  const { length, total, query } = store;
  const exits = `${counted(total)} exit${total === 1 ? "" : "s"}`;
  if (total === 0) return "";
  return query.groupBy === undefined ? exits : `${exits} in ${counted(length)} groups`;
}

function show(): void {
  const text = statusText();
  if (status.textContent !== text) status.textContent = text;
  status.classList.toggle("problem", store.problem !== undefined || refusal !== undefined);
  const isEmpty = store.length === 0;
  document.body.classList.toggle("no-exits", isEmpty);
  table.update(); // what is not displayed has no height
  empty.textContent =
    isEmpty && store.problem === undefined ? emptyText(machine, store.query.filter) : "";
}

async function go(to: { readonly exit: number } | { readonly icount: number }): Promise<void> {
  try {
    refusal = undefined;
    await ask("minvisor/seek", to);
  } catch (caught) {
    refusal = (caught as Error).message;
  }
  show();
}

async function choose(query: ExitQuery): Promise<void> {
  filterBox.value = query.filter;
  groupBox.value = query.groupBy ?? "";
  saveQuery(query);
  const isDrawnOtherwise = query.filter !== store.query.filter;
  const chosen = store.choose(query);
  table.reset();
  if (isDrawnOtherwise) void drawing.refresh();
  await chosen;
  // Who sorts by another column wants to see its least or its greatest.
  if (query.sort === "number") table.follow();
}

async function refresh(): Promise<void> {
  await Promise.all([store.refresh(table.first, table.last), drawing.refresh()]);
}

const running = new RunningLook(refresh, (callback) => {
  const timer = setTimeout(callback, REFRESH_MS);
  return () => clearTimeout(timer);
});

async function become(state: MachineState): Promise<void> {
  machine = state;
  document.body.dataset.machine = state;
  refusal = undefined;
  running.become(state === "running");
  if (state === "none" || state === "ended") {
    store.forget();
    drawing.forget();
  } else if (state === "stopped") {
    await refresh();
    table.follow();
  }
  show();
}

byId("tools").addEventListener("submit", (event) => {
  event.preventDefault();
  void choose({ ...store.query, filter: filterBox.value.trim() });
});
filterBox.addEventListener("change", () => {
  const filter = filterBox.value.trim();
  if (filter !== store.query.filter) void choose({ ...store.query, filter });
});
groupBox.addEventListener("change", () => {
  const groupBy = groupBox.value === "" ? undefined : (groupBox.value as ExitGroupKey);
  void choose({ ...store.query, groupBy });
});
window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
  if (data.type === "machine") void become(data.state);
  else onAnswer(data);
});
store.query = savedQuery() ?? ALL_EXITS;
filterBox.value = store.query.filter;
groupBox.value = store.query.groupBy ?? "";
table.reset();
show();
ready();
