/** What happens in our debug sessions, seen before VS Code is told of it. */
import { type DebugSession, type Disposable, debug } from "vscode";
import type { DebugProtocol } from "../debug-adapter/protocol.ts";
import { DEBUG_TYPE } from "./contributions.ts";

export interface SessionListener {
  /** Breakpoints are expected: requests made here arrive before configurationDone. */
  readonly initialized?: (session: DebugSession) => void;
  readonly stopped?: (session: DebugSession, body: DebugProtocol.StoppedEvent["body"]) => void;
  readonly resumed?: (session: DebugSession) => void;
  readonly restarted?: (session: DebugSession) => void;
  readonly ended?: (session: DebugSession) => void;
  readonly memory?: (session: DebugSession) => void;
  readonly breakpoint?: (session: DebugSession, changed: DebugProtocol.Breakpoint) => void;
}

const RESUMING: ReadonlySet<string> = new Set([
  ...["configurationDone", "restart", "continue", "next", "stepIn", "stepOut"],
  ...["stepBack", "reverseContinue"],
]);

function ofEvent(listener: SessionListener, session: DebugSession, message: DebugProtocol.Event) {
  switch (message.event) {
    case "initialized":
      listener.initialized?.(session);
      break;
    case "stopped":
      listener.stopped?.(session, message.body);
      break;
    case "continued":
      listener.resumed?.(session);
      break;
    case "memory":
      listener.memory?.(session);
      break;
    case "breakpoint":
      listener.breakpoint?.(session, message.body.breakpoint);
      break;
  }
}

function ofResponse(
  listener: SessionListener,
  session: DebugSession,
  { success, command }: DebugProtocol.Response,
) {
  if (!success) return;
  if (RESUMING.has(command)) listener.resumed?.(session);
  if (command === "restart") listener.restarted?.(session);
}

/** Listens to every session of ours. */
export function onSessionEvents(listener: SessionListener): Disposable {
  return debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, {
    createDebugAdapterTracker: (session) => ({
      onDidSendMessage: (message: DebugProtocol.ProtocolMessage) => {
        if (message.type === "event") ofEvent(listener, session, message as DebugProtocol.Event);
        else if (message.type === "response")
          ofResponse(listener, session, message as DebugProtocol.Response);
      },
      onWillStopSession: () => listener.ended?.(session),
    }),
  });
}
