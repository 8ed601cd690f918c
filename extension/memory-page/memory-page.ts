/** The memory view's page: draws the window that GridState describes and passes keys to it. */
import { formatPlace, hex, ROW_BYTES } from "../memory/address.ts";
import { cellText, characterOf, GridState, spokenCell } from "../memory/grid-state.ts";
import type { FromPage, MachineState, ToPage } from "../memory/messages.ts";
import type { Cell } from "../memory/read-range.ts";

declare function acquireVsCodeApi(): { postMessage(message: FromPage): void };

const WHEEL_ROWS = 3;
const { postMessage: post } = acquireVsCodeApi();

function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  role?: string,
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  made.className = className;
  if (role !== undefined) made.setAttribute("role", role);
  return made;
}

const byId = (id: string): HTMLElement => document.getElementById(id)!;
const addressBox = byId("address") as HTMLInputElement;
const grid = byId("grid");
const status = byId("status");

interface RowElements {
  readonly row: HTMLElement;
  readonly address: HTMLElement;
  readonly cells: readonly HTMLElement[];
  readonly characters: readonly HTMLElement[];
}

const state = new GridState();
let space = "";
let machine: MachineState = "running";
let rows: RowElements[] = [];
let bytes: {
  readonly top: bigint;
  readonly cells: readonly Cell[];
  readonly changed: Set<number>;
} = {
  top: 0n,
  cells: [],
  changed: new Set(),
};

function makeRow(): RowElements {
  const row = element("div", "row", "row");
  const address = element("span", "row-address", "rowheader");
  const cells = Array.from({ length: ROW_BYTES }, () => element("span", "cell", "gridcell"));
  const ascii = element("span", "ascii");
  ascii.setAttribute("aria-hidden", "true"); // cells say their character
  const characters = cells.map(() => element("span", "character"));
  ascii.append(...characters);
  row.append(address, ...cells, ascii);
  return { row, address, cells, characters };
}

/** As many rows as fit. */
function layOut(): void {
  const probe = rows[0] ?? makeRow();
  if (!probe.row.isConnected) grid.append(probe.row);
  const height = probe.row.getBoundingClientRect().height || 18;
  const wanted = Math.max(1, Math.floor(grid.clientHeight / height));
  rows = Array.from({ length: wanted }, (_, i) => rows[i] ?? (i === 0 ? probe : makeRow()));
  grid.replaceChildren(...rows.map(({ row }) => row));
  state.resize(wanted);
}

function indexOf(address: bigint): number {
  const index = Number(address - bytes.top);
  return index >= 0 && index < bytes.cells.length ? index : -1;
}

function drawCell(cell: HTMLElement, character: HTMLElement, address: bigint): void {
  const index = indexOf(address);
  const value = bytes.cells[index];
  const changed = bytes.changed.has(index);
  const isCursor = address === state.cursor;
  const pending = isCursor ? state.pending : undefined;
  cell.textContent = pending === undefined ? cellText(value) : `${pending.toString(16)}_`;
  cell.setAttribute("aria-label", spokenCell(address, value, changed));
  cell.tabIndex = isCursor ? 0 : -1;
  cell.dataset.address = hex(address);
  character.textContent = characterOf(value);
  for (const each of [cell, character]) {
    each.classList.toggle("changed", changed);
    each.classList.toggle("hole", value === null);
    each.classList.toggle("cursor", isCursor);
  }
  cell.classList.toggle("pending", pending !== undefined);
}

function draw(): void {
  for (const [i, { address, cells, characters }] of rows.entries()) {
    const start = state.top + BigInt(i * ROW_BYTES);
    address.textContent = start.toString(16).padStart(16, "0");
    for (const [j, cell] of cells.entries()) drawCell(cell, characters[j]!, start + BigInt(j));
  }
  document.body.dataset.machine = machine;
}

/** Draws, and asks for the bytes of the window; while the machine runs nothing is asked. */
function show(): void {
  draw();
  if (machine === "stopped" && space !== "")
    post({ type: "window", top: hex(state.top), rows: state.rows });
}

function focusCursor(): void {
  grid.querySelector<HTMLElement>(".cell.cursor")?.focus();
}

function onMessage(message: ToPage): void {
  switch (message.type) {
    case "place":
      space = message.space;
      bytes = { top: 0n, cells: [], changed: new Set() };
      state.goTo(BigInt(message.address));
      addressBox.value = formatPlace({ space, address: state.cursor });
      grid.setAttribute("aria-label", `Memory of ${space}`);
      status.textContent = "";
      show();
      focusCursor();
      break;
    case "state":
      machine = message.state;
      status.textContent = STATE_TEXTS[machine];
      show();
      break;
    case "refresh":
      show();
      break;
    case "bytes":
      bytes = { ...message, top: BigInt(message.top), changed: new Set(message.changed) };
      draw();
      break;
    case "problem":
      status.textContent = message.text;
      break;
  }
}

const STATE_TEXTS: Readonly<Record<MachineState, string>> = {
  stopped: "",
  running: "The machine runs: bytes are as they were at the last stop.",
  ended: "The session has ended: bytes are as they were at the last stop.",
};

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const isDigit = /^[0-9a-f]$/i.test(event.key);
  if (isDigit && machine !== "stopped") return;
  const effect = state.key(event.key);
  if (effect === undefined) return;
  event.preventDefault();
  const { write } = effect;
  if (write) post({ type: "write", address: hex(write.address), value: write.value });
  show();
  focusCursor();
}

function turnPage(direction: 1 | -1): void {
  state.page(direction);
  show();
}

byId("go-to").addEventListener("submit", (event) => {
  event.preventDefault();
  post({ type: "goto", text: addressBox.value });
});
byId("previous").addEventListener("click", () => turnPage(-1));
byId("next").addEventListener("click", () => turnPage(1));
grid.addEventListener("keydown", onKey);
grid.addEventListener("click", ({ target }) => {
  const { address } = (target as HTMLElement).dataset;
  if (address === undefined) return;
  state.select(BigInt(address));
  draw();
  focusCursor();
});
grid.addEventListener(
  "wheel",
  ({ deltaY }) => {
    state.scroll(Math.sign(deltaY) * WHEEL_ROWS);
    show();
  },
  { passive: true },
);
window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => onMessage(data));
new ResizeObserver(() => {
  layOut();
  show();
}).observe(grid);
layOut();
post({ type: "ready" });
