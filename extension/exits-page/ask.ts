/** Questions of the page to the session in front, each with its answer. */
import type { CustomRequests } from "../../debug-adapter/protocol.ts";
import type { ExitQuery } from "../exits/exit-store.ts";
import type { FromPage, PageRequest, ToPage } from "../exits/messages.ts";

declare function acquireVsCodeApi(): {
  postMessage(message: FromPage): void;
  /** What the page was left with, when it was hidden. */
  getState(): ExitQuery | undefined;
  setState(state: ExitQuery): void;
};

const api = acquireVsCodeApi();

interface Waiting {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
}

const waiting = new Map<number, Waiting>();
let lastId = 0;

export function ask<R extends PageRequest>(
  request: R,
  args: CustomRequests[R]["arguments"],
): Promise<CustomRequests[R]["body"]> {
  const id = ++lastId;
  api.postMessage({ type: "ask", id, request, args });
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve: (body) => resolve(body as CustomRequests[R]["body"]), reject });
  });
}

export function onAnswer(message: Exclude<ToPage, { type: "machine" }>): void {
  const asked = waiting.get(message.id);
  waiting.delete(message.id);
  if (message.type === "answer") asked?.resolve(message.body);
  else asked?.reject(new Error(message.message));
}

export const ready = (): void => api.postMessage({ type: "ready" });
export const savedQuery = (): ExitQuery | undefined => api.getState();
export const saveQuery = (query: ExitQuery): void => api.setState(query);
