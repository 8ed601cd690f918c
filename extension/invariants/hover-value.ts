/** The hover over a name of an .inv file begins with its value where a machine stands still. */
import { debug, Hover, MarkdownString, type Position, type TextDocument } from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { EXPRESSION_AT, type ExpressionAt } from "../../invariants/server/protocol.ts";
import { DEBUG_TYPE } from "../contributions.ts";
import { customRequest } from "../session.ts";

export async function withValue(
  client: LanguageClient,
  document: TextDocument,
  position: Position,
  hover: Hover | null | undefined,
): Promise<Hover | null | undefined> {
  if (!hover) return hover;
  const value = await valueAt(client, document, position);
  return value === undefined ? hover : new Hover([value, ...hover.contents], hover.range);
}

/** Undefined where nothing stands still, and for what has no value of its own. */
async function valueAt(
  client: LanguageClient,
  { uri }: TextDocument,
  { line, character }: Position,
): Promise<MarkdownString | undefined> {
  const session = debug.activeDebugSession;
  if (session?.type !== DEBUG_TYPE) return undefined;
  const at = { textDocument: { uri: uri.toString() }, position: { line, character } };
  const found = await client.sendRequest<ExpressionAt | null>(EXPRESSION_AT, at);
  if (found === null) return undefined;
  const { expression } = found;
  try {
    const worth = await customRequest(session, "minvisor/invariantExpression", { expression });
    const { value, unknown } = worth;
    const text = value === undefined ? `is unknown: ${unknown}` : `= ${value}`;
    return new MarkdownString().appendCodeblock(`${expression} ${text}`, "inv");
  } catch {
    return undefined; // The machine runs, or the session checks no invariants.
  }
}
