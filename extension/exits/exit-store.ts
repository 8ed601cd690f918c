/** The exits that the page shows, in pages that are asked for when they come into view. */
import type {
  ExitGroupKey,
  ExitLedgerArguments,
  ExitLedgerBody,
  ExitLedgerGroup,
  ExitLedgerRow,
  ExitSort,
} from "../../debug-adapter/protocol.ts";

export const PAGE_ROWS = 200;
/** Pages that are kept where the view has gone on. */
const MOST_PAGES = 50;

/** What the user chose to see. */
export interface ExitQuery {
  readonly filter: string;
  readonly sort: ExitSort;
  readonly descending: boolean;
  readonly groupBy?: ExitGroupKey | undefined;
}

export const ALL_EXITS: ExitQuery = { filter: "", sort: "number", descending: false };

export type Item = ExitLedgerRow | ExitLedgerGroup;
export const isGroup = (item: Item): item is ExitLedgerGroup => "filter" in item;

type Ask = (args: ExitLedgerArguments) => Promise<ExitLedgerBody>;

function argumentsOf({ filter, sort, descending, groupBy }: ExitQuery): ExitLedgerArguments {
  return groupBy === undefined ? { filter, sort, descending } : { filter, groupBy };
}

export class ExitStore {
  query: ExitQuery = ALL_EXITS;
  /** Rows or groups that there are. */
  length = 0;
  /** Exits that fulfil the filter. */
  total = 0;
  here: ExitLedgerBody["here"] = { exit: 0 };
  /** Why nothing could be asked, such as what is wrong with the filter. */
  problem: string | undefined;
  private readonly ask: Ask;
  private readonly changed: () => void;
  private readonly pages = new Map<number, readonly Item[]>();
  /** Pages asked for since the last refresh. */
  private asked = new Set<number>();

  constructor(ask: Ask, changed: () => void) {
    this.ask = ask;
    this.changed = changed;
  }

  /** Other exits are wanted: those shown go. */
  async choose(query: ExitQuery): Promise<void> {
    this.query = query;
    this.pages.clear();
    await this.refresh(0, 0);
  }

  /** Asks again for what is in view; until it comes, the old is shown. */
  async refresh(first: number, last: number): Promise<void> {
    this.asked = new Set();
    await this.want(first, Math.max(first, last));
  }

  forget(): void {
    this.asked = new Set();
    this.pages.clear();
    Object.assign(this, { length: 0, total: 0, here: { exit: 0 }, problem: undefined });
    this.changed();
  }

  /** Undefined until it has come. */
  at(index: number): Item | undefined {
    return this.pages.get(Math.floor(index / PAGE_ROWS))?.[index % PAGE_ROWS];
  }

  /** Asks for what is missing of the items from first to last. */
  async want(first: number, last: number): Promise<void> {
    const { asked } = this;
    const wanted: Promise<void>[] = [];
    for (let page = Math.floor(first / PAGE_ROWS); page * PAGE_ROWS <= last; page++) {
      if (asked.has(page)) continue;
      asked.add(page);
      wanted.push(this.load(page, asked));
    }
    await Promise.all(wanted);
  }

  private async load(page: number, asked: Set<number>): Promise<void> {
    const window = { start: page * PAGE_ROWS, count: PAGE_ROWS };
    try {
      const body = await this.ask({ ...argumentsOf(this.query), ...window });
      if (asked !== this.asked) return; // something else was asked in the meantime
      const isGrouped = this.query.groupBy !== undefined;
      this.pages.delete(page);
      this.pages.set(page, isGrouped ? body.groups : body.rows);
      this.total = body.total;
      this.length = isGrouped ? body.groupTotal : body.total;
      this.here = body.here;
      this.problem = undefined;
      for (const [oldest] of this.pages) {
        if (this.pages.size <= MOST_PAGES) break;
        this.pages.delete(oldest);
        asked.delete(oldest);
      }
    } catch (caught) {
      // A refresh asks again.
      if (asked !== this.asked) return;
      Object.assign(this, { length: 0, total: 0, problem: (caught as Error).message });
    }
    this.changed();
  }
}
