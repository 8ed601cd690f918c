/** The views that this extension adds to the workbench, as a developer uses them. */
import type { FrameLocator, Locator, Page } from "playwright-core";
import type { Editor } from "./editor.ts";

const plain = (text: string | null): string => (text ?? "").replaceAll("\u00a0", " ");

/** The view "VM Exit Breakpoints". */
export class ExitBreakpoints {
  private readonly editor: Editor;
  private readonly tree: Locator;

  constructor(editor: Editor) {
    this.editor = editor;
    this.tree = editor.page
      .locator(".pane", { hasText: "VM Exit Breakpoints" })
      .locator(".tree-explorer-viewlet-tree-view");
  }

  focus(): Promise<void> {
    return this.editor.command("Focus on VM Exit Breakpoints View");
  }

  row(label: string): Locator {
    const name = new RegExp(`^${label}$`);
    const labels = this.tree.page().locator(".label-name").filter({ hasText: name });
    return this.tree.locator(".monaco-list-row").filter({ has: labels });
  }

  /** Rows out of view are not there: scrolls from the top until it is, below its group's name. */
  private async scrollTo(label: string): Promise<Locator> {
    const row = this.row(label);
    const list = this.tree.locator(".monaco-list");
    await list.hover();
    await list.focus();
    await this.editor.page.keyboard.press("Home");
    const { y: top, height } = (await list.boundingBox())!;
    for (let turn = 0; turn < 60; turn++) {
      await this.editor.page.waitForTimeout(50);
      const box = (await row.count()) > 0 ? await row.boundingBox() : null;
      if (box && box.y + box.height <= top + height) break;
      await this.editor.page.mouse.wheel(0, box ? box.height : 44);
    }
    return row;
  }

  /** Opens a group and brings one of its rows into view. */
  async showRow(label: string, group?: string): Promise<void> {
    const parent = group === undefined ? undefined : await this.scrollTo(group);
    if ((await parent?.getAttribute("aria-expanded")) === "false") await parent!.dblclick();
    await this.scrollTo(label);
  }

  async tick(label: string, ticked = true): Promise<void> {
    const box = this.row(label).getByRole("checkbox");
    if ((await box.getAttribute("aria-checked")) !== String(ticked)) await box.click();
    await this.row(label).locator(`[role=checkbox][aria-checked="${ticked}"]`).waitFor();
  }

  async textOf(label: string): Promise<string> {
    return plain(await this.row(label).textContent());
  }

  async editCondition(label: string, condition: string): Promise<void> {
    await this.editor.contextMenu(this.row(label), "Edit Condition...");
    await this.editor.answer(condition);
  }
}

/** The view "Invariants". */
export class InvariantsView {
  private readonly editor: Editor;
  private readonly tree: Locator;

  constructor(editor: Editor) {
    this.editor = editor;
    this.tree = editor.page
      .locator(".pane", {
        has: editor.page.locator('.pane-header[aria-label="Invariants Section"]'),
      })
      .locator(".tree-explorer-viewlet-tree-view");
  }

  focus(): Promise<void> {
    return this.editor.command("Focus on Invariants View");
  }

  /** A row by its label; its text is label and description. */
  row(label: string): Locator {
    const name = this.editor.page
      .locator(".label-name")
      .filter({ hasText: new RegExp(`^${label}$`) });
    return this.tree.locator(".monaco-list-row").filter({ has: name });
  }

  /** Waits until the group of a verdict has so many. */
  async group(verdict: string, count: RegExp | number): Promise<void> {
    const description = this.row(verdict).locator(".label-description");
    const wanted = typeof count === "number" ? new RegExp(`^${count}$`) : count;
    await description.filter({ hasText: wanted }).waitFor({ timeout: 60_000 });
  }
}

/** The memory view: a page of its own within the editor. */
export class MemoryView {
  private readonly page: Page;
  private readonly frame: FrameLocator;

  constructor(page: Page) {
    this.page = page;
    this.frame = page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
  }

  get grid(): Locator {
    return this.frame.getByRole("grid");
  }

  labelled(label: RegExp): Locator {
    return this.frame.getByLabel(label);
  }

  /** Bytes that differ from the last stop. */
  get changed(): Locator {
    return this.frame.locator(".cell.changed");
  }

  /** Address of the byte under the cursor. */
  async cursor(): Promise<bigint> {
    return BigInt((await this.frame.locator(".cell.cursor").getAttribute("data-address"))!);
  }

  get status(): Locator {
    return this.frame.getByRole("status");
  }

  cell(address: bigint): Locator {
    return this.frame.locator(`.cell[data-address="0x${address.toString(16)}"]`);
  }

  /** Waits until the byte is shown with this text. */
  async shows(address: bigint, text: string): Promise<void> {
    await this.cell(address).filter({ hasText: text }).waitFor();
  }

  /** Goes to an address by the address box. */
  async goTo(reference: string): Promise<void> {
    const box = this.frame.getByLabel("Address");
    await box.fill(reference);
    await box.press("Enter");
  }

  /** Clicks on a byte and types. */
  async type(address: bigint, digits: string): Promise<void> {
    await this.cell(address).click();
    await this.page.keyboard.type(digits);
  }
}

/** The view "VM Exits": the table and the drawing of all exits, in the panel. */
export class ExitsView {
  private readonly editor: Editor;
  private readonly frame: FrameLocator;

  constructor(editor: Editor) {
    this.editor = editor;
    // A view's frame lies over the workbench, apart from the panel in the document.
    this.frame = editor.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
  }

  async focus(): Promise<void> {
    await this.editor.command("Focus on VM Exits View");
    await this.frame.getByRole("grid").waitFor();
  }

  /** The row of an exit by its number. */
  row(number: number): Locator {
    const cell = this.frame.getByRole("gridcell", {
      name: number.toLocaleString("en-US"),
      exact: true,
    });
    return this.frame
      .getByRole("row")
      .filter({ has: cell.and(this.frame.locator(":first-child")) });
  }

  /** Waits until the exit's row is marked as the present one, in view. */
  async marks(number: number): Promise<void> {
    await this.row(number).and(this.frame.locator("[aria-current=true]")).waitFor();
  }

  async filter(text: string): Promise<void> {
    const box = this.frame.getByLabel("Filter");
    await box.fill(text);
    await box.press("Enter");
  }

  async groupBy(name: string): Promise<void> {
    await this.frame.getByLabel("Group by").selectOption({ label: name });
  }

  async press(key: string): Promise<void> {
    await this.frame.getByRole("grid").press(key);
  }

  get status(): Locator {
    return this.frame.getByRole("status");
  }

  /** Reasons of the rows in view. */
  reasons(): Promise<string[]> {
    return this.frame.locator(".row .cell:nth-child(2)").allTextContents();
  }

  get rows(): Locator {
    return this.frame.locator(".row");
  }

  get drawing(): Locator {
    return this.frame.getByRole("slider");
  }

  get readout(): Locator {
    return this.frame.locator("#readout");
  }
}
