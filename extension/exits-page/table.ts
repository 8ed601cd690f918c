/** The table: draws the rows that RowWindow says, with the row of the cursor and that of the present exit. */
import type { ExitSort } from "../../debug-adapter/protocol.ts";
import { type Column, EXIT_COLUMNS, exitHint, groupColumns } from "../exits/exit-columns.ts";
import { type ExitStore, type Item, isGroup } from "../exits/exit-store.ts";
import { RowWindow, rowOfKey } from "../exits/row-window.ts";
import { attribute, byId, eachFrame, element } from "./dom.ts";

export interface TableActions {
  /** A title was clicked. */
  readonly sort: (by: ExitSort) => void;
  /** A row was clicked, or Enter was pressed on it. */
  readonly take: (item: Item) => void;
}

interface RowElement {
  readonly row: HTMLElement;
  readonly cells: readonly HTMLElement[];
}

export class Table {
  private readonly store: ExitStore;
  private readonly actions: TableActions;
  private readonly grid = byId("grid");
  private readonly header = byId("header");
  private readonly scrolled = byId("rows");
  private readonly height = byId("height");
  private readonly container = byId("window");
  private readonly view = new RowWindow();
  private pool: RowElement[] = [];
  private columns: readonly Column<never>[] = [];
  private cursor = 0;
  /** What the scroll bar was set to by us. */
  private setTop = 0;
  private readonly drawSoon = eachFrame(() => this.draw());

  constructor(store: ExitStore, actions: TableActions) {
    this.store = store;
    this.actions = actions;
    this.grid.addEventListener("keydown", (event) => this.onKey(event));
    this.container.addEventListener("click", (event) => this.onClick(event));
    this.scrolled.addEventListener("scroll", () => this.onScroll());
    this.scrolled.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    new ResizeObserver(() => this.update()).observe(this.scrolled);
  }

  /** Rows in view. */
  get first(): number {
    return this.view.first;
  }

  get last(): number {
    return this.view.last;
  }

  /** Other columns, or another order: from the top. */
  reset(): void {
    const { groupBy, sort, descending } = this.store.query;
    this.columns = groupBy === undefined ? EXIT_COLUMNS : groupColumns(groupBy);
    this.header.replaceChildren(
      ...this.columns.map((column) => {
        const cell = element("div", `cell ${column.kind}`, "columnheader");
        const title = element(column.sort === undefined ? "span" : "button", "title");
        title.textContent = column.title;
        if (column.sort !== undefined) {
          const by = column.sort;
          title.setAttribute("type", "button");
          title.addEventListener("click", () => this.actions.sort(by));
          const order = descending ? "descending" : "ascending";
          cell.setAttribute("aria-sort", sort === by ? order : "none");
        }
        cell.append(title);
        return cell;
      }),
    );
    this.grid.dataset.shows = groupBy === undefined ? "exits" : "groups";
    this.grid.setAttribute("aria-colcount", String(this.columns.length));
    this.pool = [];
    this.container.replaceChildren();
    this.cursor = 0;
    this.view.scrollTo(0);
    this.update();
  }

  /** There are more rows, or others, or more room. */
  update(): void {
    this.view.resize(this.store.length, this.scrolled.clientHeight);
    this.height.style.height = `${this.view.height}px`;
    this.grid.setAttribute("aria-rowcount", String(this.store.length + 1));
    this.cursor = Math.min(this.cursor, Math.max(0, this.store.length - 1));
    this.place();
  }

  /** The cursor goes to the row of the present exit, which comes into view. */
  follow(): void {
    const { index } = this.store.here;
    if (index === undefined) return;
    this.cursor = index;
    this.view.reveal(index);
    this.place();
  }

  private place(): void {
    this.scrolled.scrollTop = this.view.scrollTop;
    this.setTop = this.scrolled.scrollTop;
    this.drawSoon();
  }

  private onScroll(): void {
    const top = this.scrolled.scrollTop;
    if (Math.abs(top - this.setTop) < 1) return;
    this.setTop = top;
    this.view.scrollTop = top;
    this.drawSoon();
  }

  /** A pixel of the wheel is a pixel of rows, also where one of the scroll bar is several. */
  private onWheel(event: WheelEvent): void {
    if (this.view.scale === 1 || event.deltaMode !== WheelEvent.DOM_DELTA_PIXEL) return;
    event.preventDefault();
    this.view.scrollTo(this.view.offset + event.deltaY);
    this.place();
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target !== this.grid) return;
    const item = this.store.at(this.cursor);
    if (event.key === "Enter" && item !== undefined) this.actions.take(item);
    const row = rowOfKey(event.key, this.cursor, this.view);
    if (row === undefined) return;
    event.preventDefault();
    this.cursor = row;
    this.view.show(row);
    this.place();
  }

  private onClick({ target }: MouseEvent): void {
    const index = (target as HTMLElement).closest<HTMLElement>(".row")?.dataset.index;
    const item = index === undefined ? undefined : this.store.at(Number(index));
    if (item === undefined) return;
    this.cursor = Number(index);
    this.drawSoon();
    this.grid.focus();
    this.actions.take(item);
  }

  private rowElement(place: number): RowElement {
    const known = this.pool[place];
    if (known !== undefined) return known;
    const row = element("div", "row", "row");
    const cells = this.columns.map(({ kind }) => element("div", `cell ${kind}`, "gridcell"));
    row.append(...cells);
    this.container.append(row);
    const made = { row, cells };
    this.pool[place] = made;
    return made;
  }

  private draw(): void {
    const { view, store } = this;
    const shown = Math.max(0, view.last - view.first + 1);
    for (let place = 0; place < shown; place++)
      this.drawRow(this.rowElement(place), view.first + place);
    for (const { row } of this.pool.splice(shown)) row.remove();
    const active = this.pool[this.cursor - view.first]?.row.id;
    attribute(this.grid, "aria-activedescendant", active);
    if (shown > 0) void store.want(view.first, view.last);
  }

  private drawRow({ row, cells }: RowElement, index: number): void {
    const item = this.store.at(index);
    const isHere = item !== undefined && !isGroup(item) && item.number === this.store.here.exit;
    row.id = `row-${index}`;
    row.dataset.index = String(index);
    row.setAttribute("aria-rowindex", String(index + 2));
    row.setAttribute("aria-selected", String(index === this.cursor));
    attribute(row, "aria-current", isHere ? "true" : undefined);
    row.title = item === undefined ? "" : isGroup(item) ? "Click to see these" : exitHint(item);
    row.style.transform = `translateY(${this.view.topOf(index)}px)`;
    for (const [i, cell] of cells.entries()) {
      const column = this.columns[i] as Column<Item>;
      cell.textContent = item === undefined ? "" : column.of(item);
    }
  }
}
