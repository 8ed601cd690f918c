/** Commands about the futures that changes of the past left: to go into another, and to compare two. */
import {
  commands,
  type DebugSession,
  Disposable,
  EventEmitter,
  ProgressLocation,
  Uri,
  window,
  workspace,
} from "vscode";
import { registerCommand } from "../commands.ts";
import { COMMANDS } from "../contributions.ts";
import { customRequest } from "../session.ts";
import { inSession } from "./commands.ts";
import {
  comparisonDocuments,
  comparisonTitle,
  type FutureItem,
  futureItems,
} from "./future-text.ts";

const SCHEME = "minvisor-future";

async function allFutures(session: DebugSession): Promise<FutureItem[]> {
  const { futures } = await customRequest(session, "minvisor/futures", {});
  if (futures.length > 1) return futureItems(futures);
  throw new Error("There is one future alone: a change in the past makes another.");
}

function pick(items: readonly FutureItem[], title: string): Thenable<FutureItem | undefined> {
  return window.showQuickPick(items, { title, matchOnDetail: true });
}

async function goToFuture(session: DebugSession): Promise<void> {
  const picked = await pick(await allFutures(session), "Go to Another Future");
  if (picked) await customRequest(session, "minvisor/seek", { future: picked.future });
}

/** The only two, or those that are chosen. */
async function twoFutures(session: DebugSession): Promise<readonly [number, number] | undefined> {
  const items = await allFutures(session);
  const [first, second] = items;
  if (first && second && items.length === 2) return [first.future, second.future];
  const one = await pick(items, "Compare Futures: the First");
  if (one === undefined) return undefined;
  const others = items.filter((each) => each !== one);
  const other = await pick(others, `Compare Future ${one.future} with`);
  return other && [one.future, other.future];
}

export function registerFutureCommands(): Disposable {
  const texts = new Map<string, string>();
  const changed = new EventEmitter<Uri>();
  const put = (future: number, text: string): Uri => {
    const uri = Uri.from({ scheme: SCHEME, path: `/Future ${future}` });
    texts.set(uri.toString(), text);
    changed.fire(uri);
    return uri;
  };

  const compare = async (session: DebugSession): Promise<void> => {
    const two = await twoFutures(session);
    if (two === undefined) return;
    const [a, b] = two;
    const body = await window.withProgress(
      { location: ProgressLocation.Window, title: `Comparing futures ${a} and ${b}` },
      () => customRequest(session, "minvisor/compareFutures", { a, b }),
    );
    const documents = comparisonDocuments(body);
    const title = comparisonTitle(body);
    await commands.executeCommand("vscode.diff", put(a, documents.a), put(b, documents.b), title);
  };

  return Disposable.from(
    changed,
    workspace.registerTextDocumentContentProvider(SCHEME, {
      onDidChange: changed.event,
      provideTextDocumentContent: (uri) => texts.get(uri.toString()) ?? "",
    }),
    registerCommand(COMMANDS.goToFuture, () => inSession(goToFuture)),
    registerCommand(COMMANDS.compareFutures, () => inSession(compare)),
  );
}
