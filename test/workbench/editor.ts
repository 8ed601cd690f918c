/** The real VS Code workbench in a browser, driven as a developer would: keys, clicks, panels. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { installWorkbench, startWorkbench, type Workbench } from "../../scripts/workbench.mjs";
import { repository } from "../tidy/sources.ts";

const CHROMIUM = "/usr/bin/chromium";
const CHROMIUM_FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];
const artifacts = join(repository, "artifacts");

/** How long the machine may take to the next stop, on two busy cores. */
const STOP_TIMEOUT = 60_000;

/** Commands and files are known only some time after the window is there. */
const QUICK_TIMEOUT = 5_000;
const QUICK_ATTEMPTS = 6;

/** Whether it is to be seen within so many milliseconds. */
function shows(locator: Locator, timeout: number): Promise<boolean> {
  return locator.waitFor({ timeout }).then(
    () => true,
    () => false,
  );
}

/** Its text with plain spaces; lines run together. */
async function textOf(locator: Locator): Promise<string> {
  return ((await locator.textContent()) ?? "").replaceAll("\u00a0", " ");
}

export class Editor {
  readonly page: Page;
  private readonly parts: readonly (() => Promise<void> | void)[];

  private constructor(page: Page, parts: readonly (() => Promise<void> | void)[]) {
    this.page = page;
    this.parts = parts;
  }

  /** Starts server and browser and opens a folder or a workspace file. */
  static async open(workspace: string): Promise<Editor> {
    installWorkbench();
    const data = mkdtempSync(join(tmpdir(), "minvisor-workbench-"));
    const workbench: Workbench = await startWorkbench(data);
    const browser: Browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: CHROMIUM_FLAGS,
    });
    const page = await browser.newPage({ viewport: { width: 1500, height: 1000 } });
    const editor = new Editor(page, [
      () => browser.close(),
      () => workbench.stop(),
      () => rmSync(data, { recursive: true, force: true, maxRetries: 5 }),
    ]);
    try {
      await page.goto(workbench.url(workspace));
      await page.locator(".monaco-workbench .statusbar").waitFor({ timeout: 60_000 });
    } catch (error) {
      await editor.close();
      throw error;
    }
    return editor;
  }

  async close(): Promise<void> {
    for (const part of this.parts) await part();
  }

  /** Keeps a picture under artifacts/. */
  async screenshot(name: string): Promise<void> {
    mkdirSync(artifacts, { recursive: true });
    await this.page.screenshot({ path: join(artifacts, `${name}.png`) });
  }

  /** Types into the quick input and takes a row; again where the editor was not ready for it. */
  private async quickInput(text: string, rowText: string | RegExp): Promise<void> {
    const widget = this.page.locator(".quick-input-widget");
    const row = widget.locator(".monaco-list-row", { hasText: rowText }).first();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.page.keyboard.press("F1");
        await widget.locator("input.input").fill(text, { timeout: QUICK_TIMEOUT });
        await row.click({ timeout: QUICK_TIMEOUT });
        return;
      } catch (error) {
        if (attempt === QUICK_ATTEMPTS) throw error;
        await this.page.keyboard.press("Escape");
      }
    }
  }

  /** Runs a command of the palette by its title. */
  command(title: string): Promise<void> {
    return this.quickInput(`>${title}`, title);
  }

  /** Runs a command that asks for a text, and answers it. */
  async commandWithText(title: string, text: string): Promise<void> {
    await this.command(title);
    await this.answer(text);
  }

  /** Answers the input box that is open. */
  async answer(text: string): Promise<void> {
    const input = this.page.locator(".quick-input-widget:visible input.input");
    await input.waitFor();
    // The palette's own text stands there until it goes away.
    while ((await input.inputValue()).startsWith(">")) await this.page.waitForTimeout(50);
    await this.page.waitForTimeout(200);
    await input.fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Takes an item of a row's context menu. */
  async contextMenu(row: Locator, item: string): Promise<void> {
    await row.click({ button: "right" });
    const entry = this.page.locator(".monaco-menu .action-item", { hasText: item }).first();
    await entry.hover();
    await this.page.waitForTimeout(300); // a menu that has just opened takes no click
    await entry.click();
  }

  /** Evaluates in the debug console; the text of the answer. */
  async evaluate(expression: string): Promise<string> {
    const console = this.page.locator(".repl");
    if (!(await console.isVisible())) await this.page.keyboard.press("Control+Shift+Y");
    const rows = console.locator(".monaco-list-row");
    const input = console.locator(".repl-input-wrapper");
    await this.focusText(input);
    const isEmpty = (await rows.count()) === 0;
    const before = isEmpty ? -1 : Number(await rows.last().getAttribute("data-index"));
    await this.page.keyboard.type(expression);
    const typed = input.locator(".view-line", { hasText: expression.replaceAll(" ", "\u00a0") });
    await typed.waitFor();
    await this.page.keyboard.press("Escape"); // no suggestion
    await this.page.keyboard.press("Enter");
    const answer = console.locator(`.monaco-list-row[data-index="${before + 2}"]`);
    await answer.waitFor();
    return textOf(answer);
  }

  /** Puts the cursor into a text and sees it stay: a stop that is shown just then takes it to its line. */
  private async focusText(text: Locator): Promise<void> {
    const focused = text.locator(".monaco-editor.focused");
    do {
      await text.locator(".monaco-editor").click();
      await this.page.waitForTimeout(200);
    } while (!(await focused.isVisible()));
  }

  /** The number that the debug console answers. */
  async number(expression: string): Promise<bigint> {
    const text = await this.evaluate(expression);
    const number = /(?:0x[0-9a-f]+|\d+)/i.exec(text)?.[0];
    if (number === undefined) throw new Error(`${expression} is no number: ${text}`);
    return BigInt(number);
  }

  /** Takes a row of the list that is open. */
  async pick(row: string | RegExp): Promise<void> {
    const rows = this.page.locator(".quick-input-widget .monaco-list-row", { hasText: row });
    await rows.first().click();
  }

  /** Double click, new value, Enter. */
  async setVariable(name: string, value: string): Promise<void> {
    const variables = this.page.locator(".debug-variables");
    const rows = variables.getByRole("treeitem").filter({ hasText: new RegExp(`^${name}\\b`) });
    await rows.first().dblclick();
    await variables.locator("input").fill(value);
    await this.page.keyboard.press("Enter");
  }

  /** Waits until a variable's row shows the text. */
  async variableShows(name: string, text: string): Promise<void> {
    const rows = this.page.locator(".debug-variables").getByRole("treeitem");
    const row = rows.filter({ hasText: new RegExp(`^${name}\\b`) }).first();
    await row.filter({ hasText: text }).waitFor();
  }

  /** Waits until the editor in front shows the text. */
  async documentShows(text: string): Promise<void> {
    const lines = this.page.locator(".editor-group-container.active .view-line");
    await lines
      .filter({ hasText: text.replaceAll(" ", "\u00a0") })
      .first()
      .waitFor();
  }

  /** Opens a file by a part of its path. */
  async openFile(path: string): Promise<void> {
    const name = path.split("/").at(-1)!;
    await this.quickInput(path, name);
    await this.page.locator(".tab.active", { hasText: name }).waitFor();
  }

  startDebugging(configuration: string): Promise<void> {
    return this.quickInput(`debug ${configuration}`, configuration);
  }

  async goToLine(line: number, column = 1): Promise<void> {
    await this.quickInput(`:${line}:${column}`, /line/i);
  }

  /** Hovers over the place of the cursor, again until the hover shows the text. */
  async hoverShows(text: string): Promise<void> {
    const hover = this.page
      .locator(".monaco-hover:visible")
      .filter({ hasText: text.replaceAll(" ", "\u00a0") })
      .first();
    for (let attempt = 0; attempt < 10; attempt++) {
      await this.command("Show or Focus Hover");
      // A hover that was asked for before the machine had stopped stays as it is.
      if (await shows(hover, 6_000)) return;
      await this.page.keyboard.press("Escape");
    }
    await hover.waitFor();
  }

  /** Hovers over a row, again until its tooltip shows the text: a row that is drawn anew loses it. */
  async tooltipShows(row: Locator, text: string): Promise<void> {
    const tooltip = this.page.locator(".workbench-hover", { hasText: text }).first();
    for (let attempt = 0; attempt < 8; attempt++) {
      await row.hover();
      if (await shows(tooltip, 4_000)) return;
      await this.page.mouse.move(1, 1);
    }
    await tooltip.waitFor();
  }

  /** Types over a line of the editor in front, from its first letter to its end, and saves. */
  async replaceLine(line: number, text: string): Promise<void> {
    await this.goToLine(line);
    for (const key of ["End", "Shift+Home"]) await this.page.keyboard.press(key);
    await this.page.keyboard.insertText(text);
    await this.page.keyboard.press("Control+S");
    await this.page.locator(".tab.active:not(.dirty)").waitFor();
  }

  /** Waits until a lens of the editor in front shows the text. */
  async lens(text: RegExp): Promise<void> {
    const lenses = this.page.locator(".codelens-decoration", { hasText: text });
    await lenses.first().waitFor({ timeout: STOP_TIMEOUT });
  }

  /** Clicks in the margin beside a line, until VS Code shows the breakpoint. */
  async setGutterBreakpoint(line: number): Promise<void> {
    await this.goToLine(line);
    const number = this.page
      .locator(".monaco-editor .line-numbers")
      .filter({ hasText: new RegExp(`^${line}$`) });
    let margin: readonly [x: number, y: number] = [0, 0];
    for (let attempt = 0; attempt < 30; attempt++) {
      // The editor draws its lines anew when it has gone to one: then there is no box for a moment.
      const box = await number.first().boundingBox();
      if (box !== null) {
        margin = [box.x - 10, box.y + box.height / 2];
        await this.page.mouse.move(margin[0] + 1, margin[1]);
        await this.page.mouse.move(...margin);
        if (await this.page.locator(".codicon-debug-hint").count()) break;
      }
      await this.page.waitForTimeout(200); // the debug contribution attaches late
    }
    await this.page.mouse.click(...margin);
    await this.page.locator(".cgmr.codicon-debug-breakpoint").first().waitFor();
  }

  /** Waits for a stop whose call stack holds all of the texts. */
  async stopped(...texts: readonly string[]): Promise<void> {
    const rows = this.page.locator(".debug-call-stack .monaco-list-row");
    for (const text of texts)
      await rows.filter({ hasText: text }).first().waitFor({ timeout: STOP_TIMEOUT });
  }

  /** Presses a key of a session that stands still: VS Code takes none before it has drawn the stop. */
  async keyOfStop(key: string): Promise<void> {
    const button = this.page.getByRole("button", { name: /^Continue \(F5\)/ }).first();
    await button.waitFor({ timeout: STOP_TIMEOUT });
    await this.page.keyboard.press(key);
  }

  continue(): Promise<void> {
    return this.keyOfStop("F5");
  }

  async stopDebugging(): Promise<void> {
    await this.page.keyboard.press("Shift+F5");
    await this.page.locator(".statusbar.debugging").waitFor({ state: "detached" });
  }

  stepOver(): Promise<void> {
    return this.keyOfStop("F10");
  }

  /** The text of a variable's row, by its name. */
  variable(name: string): Promise<string> {
    const rows = this.page.locator(".debug-variables").getByRole("treeitem");
    return textOf(rows.filter({ hasText: new RegExp(`^${name}\\b`) }).first());
  }

  /** Opens a section of the sidebar, or closes it for more room in the others. */
  async showSection(name: string, shown = true): Promise<void> {
    const header = this.page.locator(`.pane-header[aria-label="${name} Section"]`);
    const other = header.and(this.page.locator(`[aria-expanded=${!shown}]`));
    if (await other.count()) await other.click();
  }

  /** Opens a scope of the variables view where it is closed. */
  async showScope(name: string): Promise<void> {
    const row = this.page
      .locator(".debug-variables")
      .getByRole("treeitem", { level: 1 })
      .filter({ hasText: new RegExp(`^${name}$`) });
    await row.waitFor();
    if ((await row.getAttribute("aria-expanded")) === "false") await row.click();
  }

  /** Ticks a row of the breakpoints view, or takes the tick away. */
  async tickBreakpoint(label: string, ticked = true): Promise<void> {
    const row = this.page
      .locator(".debug-breakpoints .monaco-list-row", { hasText: label })
      .first();
    await row.locator("input[type=checkbox]").setChecked(ticked);
  }

  /** A row of the Problems panel, once it is there. */
  async problem(text: string): Promise<Locator> {
    await this.page.keyboard.press("Control+Shift+M");
    const row = this.page.locator(".markers-panel .monaco-list-row", { hasText: text }).first();
    await row.waitFor({ timeout: STOP_TIMEOUT });
    return row;
  }

  /** Waits until the cursor is in that line of that file. */
  async cursorIn(file: string, line: number): Promise<void> {
    await this.page.locator(".tab.active", { hasText: file }).waitFor();
    await this.page.locator(".statusbar", { hasText: `Ln ${line},` }).waitFor();
  }

  /** The text of the terminal that is in front. */
  async terminalText(wanted: string): Promise<string> {
    const rows = this.page.locator(".terminal-wrapper.active .xterm-rows");
    await rows.filter({ hasText: wanted }).waitFor({ timeout: STOP_TIMEOUT });
    return textOf(rows);
  }
}
