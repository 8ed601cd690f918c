/** The memory view's window, cursor and half-typed byte, and what each key does to them. */
import { clamped, hex, ROW_BYTES, rowAt } from "./address.ts";

const ROW = BigInt(ROW_BYTES);

/** What a key made necessary. */
export interface Effect {
  readonly write?: { readonly address: bigint; readonly value: number };
}

export class GridState {
  top = 0n;
  cursor = 0n;
  rows = 1;
  /** The first of two hexadecimal digits. */
  pending: number | undefined;

  goTo(address: bigint): void {
    this.pending = undefined;
    this.cursor = clamped(address);
    this.top = rowAt(this.cursor, this.rows);
  }

  resize(rows: number): void {
    this.rows = Math.max(1, rows);
    this.top = rowAt(this.top, this.rows);
    this.showCursor();
  }

  /** Moves the window and leaves the cursor on the byte that it is on, where that stays in view. */
  scroll(rows: number): void {
    this.top = rowAt(this.top + BigInt(rows) * ROW, this.rows);
    const first = this.top + (this.cursor % ROW);
    const last = first + BigInt(this.rows - 1) * ROW;
    if (this.cursor < first || this.cursor > last) {
      this.pending = undefined;
      this.cursor = this.cursor < first ? first : last;
    }
  }

  /** A page on; the cursor stays in its row and column of the window. */
  page(direction: 1 | -1): void {
    const before = this.top;
    this.top = rowAt(this.top + BigInt(direction * this.rows) * ROW, this.rows);
    this.pending = undefined;
    this.cursor = clamped(this.cursor + (this.top - before));
  }

  select(address: bigint): void {
    this.pending = undefined;
    this.cursor = clamped(address);
    this.showCursor();
  }

  /** Undefined where the key means nothing here. */
  key(key: string): Effect | undefined {
    const move = MOVES[key];
    if (move !== undefined) {
      move(this);
      return {};
    }
    if (key === "Escape" && this.pending !== undefined) {
      this.pending = undefined;
      return {};
    }
    return /^[0-9a-f]$/i.test(key) ? this.digit(Number.parseInt(key, 16)) : undefined;
  }

  private digit(digit: number): Effect {
    if (this.pending === undefined) {
      this.pending = digit;
      return {};
    }
    const write = { address: this.cursor, value: this.pending * 16 + digit };
    this.select(this.cursor + 1n);
    return { write };
  }

  private showCursor(): void {
    const end = this.top + BigInt(this.rows) * ROW;
    if (this.cursor < this.top) this.top = rowAt(this.cursor, this.rows);
    else if (this.cursor >= end)
      this.top = rowAt(this.cursor - BigInt(this.rows - 1) * ROW, this.rows);
  }
}

const by =
  (bytes: bigint) =>
  (grid: GridState): void => {
    const to = grid.cursor + bytes;
    if (to === clamped(to)) grid.select(to);
  };

const MOVES: Readonly<Record<string, (grid: GridState) => void>> = {
  ArrowLeft: by(-1n),
  ArrowRight: by(1n),
  ArrowUp: by(-ROW),
  ArrowDown: by(ROW),
  Home: (grid) => grid.select(grid.cursor - (grid.cursor % ROW)),
  End: (grid) => grid.select(grid.cursor - (grid.cursor % ROW) + ROW - 1n),
  PageUp: (grid) => grid.page(-1),
  PageDown: (grid) => grid.page(1),
};

export const cellText = (cell: number | null | undefined): string =>
  cell === undefined ? "" : cell === null ? "??" : cell.toString(16).padStart(2, "0");

export function characterOf(cell: number | null | undefined): string {
  if (cell === undefined || cell === null) return " ";
  return cell >= 0x20 && cell < 0x7f ? String.fromCharCode(cell) : ".";
}

/** What a screen reader says of a byte. */
export function spokenCell(address: bigint, cell: number | null | undefined, changed: boolean) {
  if (cell === undefined) return `${hex(address)}, not read yet`;
  if (cell === null) return `${hex(address)}, not readable`;
  const character = cell > 0x20 && cell < 0x7f ? `, ${String.fromCharCode(cell)}` : "";
  return `${hex(address)}, ${cellText(cell)}${character}${changed ? ", changed" : ""}`;
}
