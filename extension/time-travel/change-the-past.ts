/** Changes that were refused because the machine is in its past: asks, allows them and makes them. */
import { type DebugSession, type Disposable, debug, window } from "vscode";
import { type DebugProtocol, ERROR_IDS } from "../../debug-adapter/protocol.ts";
import { DEBUG_TYPE } from "../contributions.ts";
import { counted } from "../counted.ts";
import { customRequest } from "../session.ts";

/** Requests by which a user changes the machine. */
const CHANGES: ReadonlySet<string> = new Set([
  ...["evaluate", "setVariable", "setExpression", "writeMemory", "goto"],
  "minvisor/consoleInput",
]);

const CHANGE = "Change the Past";

interface ErrorBody {
  readonly error?: DebugProtocol.Message;
}

/** Makes the change again, now that it is allowed. The console shows what an expression gave. */
async function makeAgain(session: DebugSession, request: DebugProtocol.Request): Promise<void> {
  await customRequest(session, "minvisor/allowFork", {});
  const body: Partial<DebugProtocol.EvaluateResponse["body"]> | undefined =
    await session.customRequest(request.command, request.arguments);
  if (request.command === "evaluate") debug.activeDebugConsole.appendLine(body?.result ?? "");
}

async function offer(session: DebugSession, request: DebugProtocol.Request): Promise<boolean> {
  const { icount, exits, exit, endIcount } = await customRequest(session, "minvisor/timeline", {});
  const [instructions, laterExits] = [endIcount - icount, exits - exit].map(counted);
  const answer = await window.showWarningMessage(
    "The machine is in its past: a change here starts another future.",
    {
      modal: true,
      detail: `What is recorded after this instant is kept, ${instructions} instructions with ${laterExits} exits: "Go to Another Future..." leads back there.`,
    },
    CHANGE,
  );
  if (answer !== CHANGE) return false;
  await makeAgain(session, request);
  return true;
}

/** Watches every session of ours; `changed` is told when a past was changed. */
export function offerToChangeThePast(changed: (session: DebugSession) => void): Disposable {
  let isAsking = false;
  const ask = async (session: DebugSession, request: DebugProtocol.Request): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      if (await offer(session, request)) changed(session);
    } catch (caught) {
      void window.showErrorMessage((caught as Error).message);
    } finally {
      isAsking = false;
    }
  };

  return debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, {
    createDebugAdapterTracker: (session) => {
      const waiting = new Map<number, DebugProtocol.Request>();
      return {
        onWillReceiveMessage: (message: DebugProtocol.Request) => {
          if (CHANGES.has(message.command)) waiting.set(message.seq, message);
        },
        onDidSendMessage: (message: DebugProtocol.ProtocolMessage) => {
          if (message.type !== "response") return;
          const { request_seq, success, body } = message as DebugProtocol.Response;
          const request = waiting.get(request_seq);
          waiting.delete(request_seq);
          if (success || request === undefined) return;
          const { error } = (body ?? {}) as ErrorBody;
          if (error?.id === ERROR_IDS.past) void ask(session, request);
        },
      };
    },
  });
}
