/**
 * Which of many rows a scrolled view shows. Browsers have a greatest height of an element, and a million
 * rows are near it: above MAX_HEIGHT the scroll bar stands for more rows than it has pixels.
 */

export const ROW_HEIGHT = 22;
export const MAX_HEIGHT = 8_000_000;

export class RowWindow {
  private rows = 0;
  private viewport = 0;
  /** Pixels above the view, were the rows as high as they are. */
  private above = 0;

  get offset(): number {
    return this.above;
  }

  get count(): number {
    return this.rows;
  }

  resize(rows: number, viewport: number): void {
    this.rows = rows;
    this.viewport = viewport;
    this.scrollTo(this.above);
  }

  /** What the scrolled element's height is to be. */
  get height(): number {
    return Math.min(this.rows * ROW_HEIGHT, MAX_HEIGHT);
  }

  /** Pixels of rows for a pixel of the scroll bar. */
  get scale(): number {
    const scrolled = this.height - this.viewport;
    return scrolled <= 0 ? 1 : this.greatestOffset / scrolled;
  }

  private get greatestOffset(): number {
    return Math.max(0, this.rows * ROW_HEIGHT - this.viewport);
  }

  get scrollTop(): number {
    return this.above / this.scale;
  }

  set scrollTop(top: number) {
    this.scrollTo(top * this.scale);
  }

  scrollTo(offset: number): void {
    this.above = Math.min(Math.max(0, offset), this.greatestOffset);
  }

  /** Rows that fit, one at least. */
  get pageRows(): number {
    return Math.max(1, Math.floor(this.viewport / ROW_HEIGHT));
  }

  /** Rows of which something is in view. */
  get first(): number {
    return Math.floor(this.above / ROW_HEIGHT);
  }

  get last(): number {
    return Math.min(this.rows, Math.ceil((this.above + this.viewport) / ROW_HEIGHT)) - 1;
  }

  /** Where a row begins, below the top of the view. */
  topOf(row: number): number {
    return row * ROW_HEIGHT - this.above;
  }

  /** Moves as little as brings the whole row into view. */
  show(row: number): void {
    const top = this.topOf(row);
    if (top < 0) this.scrollTo(row * ROW_HEIGHT);
    else if (top + ROW_HEIGHT > this.viewport)
      this.scrollTo((row + 1) * ROW_HEIGHT - this.viewport);
  }

  /** Brings a row that is out of view into its middle. */
  reveal(row: number): void {
    const top = this.topOf(row);
    if (top >= 0 && top + ROW_HEIGHT <= this.viewport) return;
    this.scrollTo((row + 0.5) * ROW_HEIGHT - this.viewport / 2);
  }
}

/** The row that a key leads to; undefined where the key means nothing here. */
export function rowOfKey(key: string, row: number, { count, pageRows }: RowWindow) {
  const move = MOVES[key];
  if (move === undefined || count === 0) return undefined;
  return Math.min(Math.max(0, move(row, count, pageRows)), count - 1);
}

const MOVES: Readonly<Record<string, (row: number, count: number, page: number) => number>> = {
  ArrowUp: (row) => row - 1,
  ArrowDown: (row) => row + 1,
  PageUp: (row, _, page) => row - page,
  PageDown: (row, _, page) => row + page,
  Home: () => 0,
  End: (_, count) => count - 1,
};
