/** The view "VM Exits": every exit of the recording in front, as a table and over time; a click goes there. */
import {
  type DebugSession,
  Disposable,
  debug,
  type Uri,
  type WebviewView,
  type WebviewViewProvider,
  window,
} from "vscode";
import { DEBUG_TYPE, VIEWS } from "../contributions.ts";
import { customRequest } from "../session.ts";
import { onSessionEvents } from "../session-events.ts";
import { pageFolder, pageSources } from "../webview-page.ts";
import { exitsHtml } from "./exits-html.ts";
import { type FromPage, type MachineState, PAGE_REQUESTS, type ToPage } from "./messages.ts";

type Question = FromPage & { readonly type: "ask" };

function sessionInFront(): DebugSession | undefined {
  const session = debug.activeDebugSession;
  return session?.type === DEBUG_TYPE ? session : undefined;
}

async function answer({ id, request, args }: Question): Promise<ToPage> {
  try {
    const session = sessionInFront();
    if (session === undefined) throw new Error("No MinVisor session is in front.");
    if (!PAGE_REQUESTS.includes(request)) throw new Error(`${request} is not for this view.`);
    return { type: "answer", id, body: await customRequest(session, request, args) };
  } catch (caught) {
    return { type: "refused", id, message: (caught as Error).message };
  }
}

class ExitsView implements WebviewViewProvider {
  private readonly extension: Uri;
  private readonly states = new WeakMap<DebugSession, MachineState>();
  private view: WebviewView | undefined;

  constructor(extension: Uri) {
    this.extension = extension;
  }

  resolveWebviewView(view: WebviewView): void {
    this.view = view;
    const { webview } = view;
    webview.options = { enableScripts: true, localResourceRoots: [pageFolder(this.extension)] };
    webview.onDidReceiveMessage(async (message: FromPage) => {
      if (message.type === "ready") this.tell();
      else this.post(await answer(message));
    });
    view.onDidDispose(() => {
      this.view = undefined;
    });
    webview.html = exitsHtml(pageSources(webview, this.extension, "exits-page"));
  }

  private post(message: ToPage): void {
    void this.view?.webview.postMessage(message);
  }

  private readonly tell = (): void => {
    const session = sessionInFront();
    const state = session === undefined ? "none" : (this.states.get(session) ?? "running");
    this.post({ type: "machine", state });
  };

  private become(state: MachineState) {
    return (session: DebugSession): void => {
      this.states.set(session, state);
      if (session === sessionInFront()) this.tell();
    };
  }

  register(): Disposable {
    return Disposable.from(
      window.registerWebviewViewProvider(VIEWS.exits, this),
      debug.onDidChangeActiveDebugSession(this.tell),
      onSessionEvents({
        initialized: this.become("running"),
        resumed: this.become("running"),
        stopped: this.become("stopped"),
        ended: this.become("ended"),
      }),
    );
  }
}

export function registerExits(extension: Uri): Disposable {
  return new ExitsView(extension).register();
}
