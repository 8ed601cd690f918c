/** Our debug sessions' custom requests and events, typed by the adapter's protocol. */
import { type DebugSession, type Disposable, debug } from "vscode";
import type { CustomEvents, CustomRequests } from "../debug-adapter/protocol.ts";
import { DEBUG_TYPE } from "./contributions.ts";

type RequestName = keyof CustomRequests;
type EventName = keyof CustomEvents;

export function customRequest<Name extends RequestName>(
  session: DebugSession,
  name: Name,
  args: CustomRequests[Name]["arguments"],
): Thenable<CustomRequests[Name]["body"]> {
  return session.customRequest(name, args);
}

/** Calls `receive` for each event of that name from any session of ours. */
export function onCustomEvent<Name extends EventName>(
  name: Name,
  receive: (body: CustomEvents[Name], session: DebugSession) => void,
): Disposable {
  return debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
    if (session.type === DEBUG_TYPE && event === name) receive(body as CustomEvents[Name], session);
  });
}
