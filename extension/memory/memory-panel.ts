/** One memory view: an editor whose page shows memory of a session and writes to it. */
import { commands, type DebugSession, type Uri, ViewColumn, window } from "vscode";
import type { DebugProtocol } from "../../debug-adapter/protocol.ts";
import { resolveReference } from "../references.ts";
import { pageFolder, pageSources } from "../webview-page.ts";
import { formatPlace, hex, type Place, parsePlace, ROW_BYTES } from "./address.ts";
import { memoryHtml } from "./memory-html.ts";
import type { FromPage, MachineState, ToPage } from "./messages.ts";
import { readRange, toBase64 } from "./read-range.ts";
import { SeenMemory } from "./seen-memory.ts";

const VIEW_TYPE = "minvisor.memory";
/** More than any screen shows. */
const MAX_ROWS = 500;

export class MemoryPanel {
  private session: DebugSession;
  private place: Place;
  private state: MachineState = "stopped";
  private readonly panel;
  private readonly seen = new SeenMemory();
  private isClosed = false;
  private refreshing: NodeJS.Timeout | undefined;

  constructor(extension: Uri, session: DebugSession, place: Place, closed: () => void) {
    this.session = session;
    this.place = place;
    this.panel = window.createWebviewPanel(VIEW_TYPE, "Memory", ViewColumn.Beside, {
      enableScripts: true,
      localResourceRoots: [pageFolder(extension)],
      retainContextWhenHidden: true,
    });
    this.panel.webview.onDidReceiveMessage((message: FromPage) => void this.receive(message));
    this.panel.onDidDispose(() => {
      this.isClosed = true;
      clearTimeout(this.refreshing);
      closed();
    });
    const { webview } = this.panel;
    webview.html = memoryHtml(pageSources(webview, extension, "memory-page"));
    this.name();
    void this.keepGroup();
  }

  /** VS Code opens the source of each stop in the group in front: a view that is alone keeps its own. */
  private async keepGroup(): Promise<void> {
    const { activeTabGroup } = window.tabGroups;
    const isAlone = activeTabGroup.tabs.length <= 1;
    if (isAlone) await commands.executeCommand("workbench.action.lockEditorGroup");
  }

  dispose(): void {
    this.panel.dispose();
  }

  /** Another session begins: a view whose own has ended goes over to it. */
  joins(session: DebugSession): void {
    if (this.state !== "ended" && this.session.id !== session.id) return;
    this.session = session;
    this.seen.forget();
    this.become("running");
  }

  stopped(session: DebugSession): void {
    if (session.id !== this.session.id) return;
    this.seen.stopped();
    this.become("stopped");
  }

  resumed(session: DebugSession): void {
    if (session.id === this.session.id && this.state === "stopped") this.become("running");
  }

  ended(session: DebugSession): void {
    if (session.id === this.session.id) this.become("ended");
  }

  /** Memory was written; several writes at once are one refresh. */
  changed(session: DebugSession): void {
    if (session.id !== this.session.id || this.state !== "stopped") return;
    this.refreshing ??= setTimeout(() => {
      this.refreshing = undefined;
      this.post({ type: "refresh" });
    }, 20);
  }

  private become(state: MachineState): void {
    this.state = state;
    this.post({ type: "state", state });
  }

  private post(message: ToPage): void {
    if (!this.isClosed) void this.panel.webview.postMessage(message);
  }

  private name(): void {
    this.panel.title = `Memory ${formatPlace(this.place)}`;
  }

  private showPlace(): void {
    const { space, address } = this.place;
    this.name();
    this.post({ type: "place", space, address: hex(address) });
  }

  private async receive(message: FromPage): Promise<void> {
    if (message.type === "ready") {
      this.become(this.state);
      this.showPlace();
      return;
    }
    if (this.state !== "stopped") return;
    try {
      if (message.type === "window") await this.read(BigInt(message.top), message.rows);
      else if (message.type === "goto") await this.goTo(message.text);
      else await this.write(BigInt(message.address), message.value);
    } catch (caught) {
      // The machine may have gone on in the meantime: the page says so already.
      if (this.state === "stopped") this.post({ type: "problem", text: (caught as Error).message });
    }
  }

  private async read(top: bigint, rows: number): Promise<void> {
    const { session, place } = this;
    const memoryReference = formatPlace({ space: place.space, address: top });
    const cells = await readRange(
      (offset, count): Thenable<DebugProtocol.ReadMemoryResponse["body"]> =>
        session.customRequest("readMemory", { memoryReference, offset, count }),
      Math.min(rows, MAX_ROWS) * ROW_BYTES,
    );
    if (this.place !== place || this.state !== "stopped") return;
    const changed = this.seen.take(top, cells);
    this.post({ type: "bytes", top: hex(top), cells, changed });
  }

  private async goTo(text: string): Promise<void> {
    const place = parsePlace(await resolveReference(this.session, text));
    if (place === undefined) return;
    if (place.space !== this.place.space) this.seen.forget();
    this.place = place;
    this.showPlace();
  }

  private async write(address: bigint, value: number): Promise<void> {
    await this.session.customRequest("writeMemory", {
      memoryReference: formatPlace({ space: this.place.space, address }),
      data: toBase64(Uint8Array.of(value)),
    });
    this.post({ type: "refresh" });
  }
}
