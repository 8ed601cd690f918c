/** VS Code's own views of a session, as a developer uses them: disassembly, breakpoints, variables. */
import type { Locator, Page } from "playwright-core";
import type { Editor } from "./editor.ts";

/** A row of the disassembly view. */
export interface InstructionRow {
  readonly address: bigint;
  readonly bytes: string;
  readonly text: string;
}

const plain = (text: string | null): string => (text ?? "").replaceAll("\u00a0", " ");

export class DisassemblyView {
  private readonly page: Page;
  private readonly view: Locator;

  constructor(page: Page) {
    this.page = page;
    this.view = page.locator(".disassembly-view");
  }

  /** The row at which the machine stands. */
  get current(): Locator {
    return this.view
      .locator(".monaco-list-row")
      .filter({ has: this.page.locator("[class*=codicon-debug-stackframe]") });
  }

  /** Rows in view from the current one on. */
  async rows(count: number): Promise<InstructionRow[]> {
    await this.current.waitFor();
    const first = Number(await this.current.getAttribute("data-index"));
    const rows: InstructionRow[] = [];
    for (let i = 0; i < count; i++) rows.push(await this.read(this.row(first + i)));
    return rows;
  }

  /** Steps are by instruction while the view has the focus. */
  focus(): Promise<void> {
    return this.current.click();
  }

  /** Waits until the machine stands at that address. */
  async isAt(address: bigint): Promise<void> {
    const number = new RegExp(`0x1[0-9a-f]*${address.toString(16).padStart(16, "0")}\\b`);
    await this.current.filter({ hasText: number }).waitFor();
  }

  row(index: number): Locator {
    return this.view.locator(`.monaco-list-row[data-index="${index}"]`);
  }

  async currentIndex(): Promise<number> {
    return Number(await this.current.getAttribute("data-index"));
  }

  private async read(row: Locator): Promise<InstructionRow> {
    const [, , text] = await row.locator(".monaco-table-td").allTextContents();
    return parseRow(plain(text ?? (await row.textContent())));
  }

  /** Scrolls on until the row at which the machine stands has others below it. */
  async scrollOn(): Promise<void> {
    await this.current.hover();
    await this.page.mouse.wheel(0, 150);
    await this.page.waitForTimeout(300);
  }

  /** Clicks in the margin of a row. */
  async setBreakpoint(index: number): Promise<void> {
    await this.row(index).locator(".monaco-table-td").first().click();
    await this.row(index).locator(".codicon-debug-breakpoint").waitFor();
  }
}

/** "0x100000000010000ccd c7 05 85   movl $0,...", behind the line of source that begins with it. */
function parseRow(text: string): InstructionRow {
  const found = /0x([0-9a-f]{17,})\s+((?:[0-9a-f]{2}\s)*)\s*(.*)$/i.exec(text);
  if (!found) throw new Error(`no row of instructions: ${text}`);
  const [, address, bytes, instruction] = found;
  return {
    address: BigInt(`0x${address}`) & ((1n << 64n) - 1n),
    bytes: bytes!.trim(),
    text: instruction!,
  };
}

/** The view "Breakpoints". */
export class BreakpointsView {
  private readonly editor: Editor;

  constructor(editor: Editor) {
    this.editor = editor;
  }

  row(text: string): Locator {
    return this.editor.page
      .locator(".debug-breakpoints .monaco-list-row", { hasText: text })
      .first();
  }

  /** Edits the condition of an exception filter in its row. */
  async editCondition(text: string, condition: string): Promise<void> {
    await this.editor.contextMenu(this.row(text), "Edit Condition...");
    const input = this.editor.page.locator(".debug-breakpoints input:not([type=checkbox])");
    await input.fill(condition);
    await input.press("Enter");
  }
}
