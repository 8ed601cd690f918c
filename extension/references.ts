/** Where the commands about addresses get theirs from: a row of the variables, or what is typed. */
import { type DebugSession, debug, window } from "vscode";
import type { DebugProtocol } from "../debug-adapter/protocol.ts";
import { orTell } from "./commands.ts";
import { DEBUG_TYPE } from "./contributions.ts";
import { isReference } from "./memory/address.ts";
import { customRequest } from "./session.ts";

/** What VS Code gives to a command of the variables view's menus. */
export interface VariableSubject {
  readonly sessionId?: string;
  readonly container?: { readonly variablesReference?: number };
  readonly variable?: {
    readonly name?: string;
    readonly memoryReference?: string;
    readonly evaluateName?: string;
  };
}

/** The session that is in front, if it is ours; the user is told where it is not. */
export function activeSession(): DebugSession | undefined {
  const session = debug.activeDebugSession;
  if (session?.type === DEBUG_TYPE) return session;
  void window.showErrorMessage("No MinVisor session is in front: start debugging first.");
  return undefined;
}

/** The frame that expressions are about; its number is the adapter's own. */
function activeFrame(session: DebugSession): number | undefined {
  const item = debug.activeStackItem;
  if (item?.session.id !== session.id || !("frameId" in item)) return undefined;
  return item.frameId;
}

/** The address that an expression of C is at, or is. Rejects with the reason. */
async function referenceOfExpression(session: DebugSession, expression: string): Promise<string> {
  const frameId = activeFrame(session);
  const answer: DebugProtocol.EvaluateResponse["body"] = await session.customRequest("evaluate", {
    expression,
    context: "watch",
    ...(frameId === undefined ? {} : { frameId }),
  });
  const number = /^(?:0x[0-9a-f]+|\d+)\b/i.exec(answer.result)?.[0];
  const reference = answer.memoryReference ?? number;
  if (reference === undefined)
    throw new Error(`"${expression}" is ${answer.result}, which has no address.`);
  return reference;
}

/** A memory reference with all its parts, of a reference or a C expression. Rejects with the reason. */
export async function resolveReference(session: DebugSession, text: string): Promise<string> {
  const given = isReference(text) ? text.trim() : await referenceOfExpression(session, text);
  const body = await customRequest(session, "minvisor/translate", { memoryReference: given });
  return body.memoryReference;
}

/** The selected text on one line, as what to ask about first. */
function selectedText(): string {
  const editor = window.activeTextEditor;
  if (!editor || editor.selection.isEmpty || !editor.selection.isSingleLine) return "";
  return editor.document.getText(editor.selection).trim();
}

/** Asks for an address unless the subject has one; undefined where the user gave up. */
async function askReference(
  session: DebugSession,
  title: string,
  subject: VariableSubject | undefined,
): Promise<string | undefined> {
  const known = subject?.variable?.memoryReference;
  if (known !== undefined) return resolveReference(session, known);
  const text = await window.showInputBox({
    title,
    value: selectedText(),
    prompt: "A memory reference, or an expression of C: its address, or where it points",
    placeHolder: "gpa:0x1000, gva:0xffffffff81000000, hpa:0x10000000, &vcpu, $rsp",
    ignoreFocusOut: true,
  });
  return text?.trim() ? resolveReference(session, text) : undefined;
}

/** Runs a command about an address; what goes wrong is told to the user. */
export async function withReference(
  title: string,
  subject: VariableSubject | undefined,
  run: (session: DebugSession, reference: string) => unknown,
): Promise<void> {
  const session = activeSession();
  if (!session) return;
  await orTell(async () => {
    const reference = await askReference(session, title, subject);
    if (reference !== undefined) await run(session, reference);
  });
}
