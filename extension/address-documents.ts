/** Read-only documents about an address: its translation, what maps it, its disassembly. */
import {
  type DebugSession,
  Disposable,
  EventEmitter,
  Selection,
  TextEditorRevealType,
  Uri,
  window,
  workspace,
} from "vscode";
import type { DebugProtocol } from "../debug-adapter/protocol.ts";
import { registerCommand } from "./commands.ts";
import { COMMANDS, type CommandId } from "./contributions.ts";
import { disassemblyText } from "./disassembly-text.ts";
import { type VariableSubject, withReference } from "./references.ts";
import { customRequest } from "./session.ts";

const SCHEME = "minvisor";
const ROWS_BEFORE = 50;
const ROWS = 250;

interface Document {
  readonly command: CommandId;
  readonly title: string;
  /** The document's name, to which the reference is added. */
  readonly name: string;
  /** Its text, and the line that is shown first. */
  text(session: DebugSession, reference: string): PromiseLike<{ text: string; line: number }>;
}

const DOCUMENTS: readonly Document[] = [
  {
    command: COMMANDS.translateAddress,
    title: "Translate Address",
    name: "Translation of",
    text: async (session, memoryReference) => {
      const { text } = await customRequest(session, "minvisor/translate", { memoryReference });
      return { text, line: 0 };
    },
  },
  {
    command: COMMANDS.findMappings,
    title: "Who Maps This Physical Address",
    name: "Mappings of",
    text: async (session, memoryReference) => {
      const { text } = await customRequest(session, "minvisor/reverseTranslate", {
        memoryReference,
      });
      return { text, line: 0 };
    },
  },
  {
    command: COMMANDS.openDisassembly,
    title: "Open Disassembly at Address",
    name: "Disassembly at",
    text: async (session, memoryReference) => {
      const body: NonNullable<DebugProtocol.DisassembleResponse["body"]> =
        await session.customRequest("disassemble", {
          memoryReference,
          instructionOffset: -ROWS_BEFORE,
          instructionCount: ROWS,
          resolveSymbols: true,
        });
      return { text: disassemblyText(body.instructions, memoryReference), line: ROWS_BEFORE };
    },
  },
];

export function registerAddressDocuments(): Disposable {
  const texts = new Map<string, string>();
  const changed = new EventEmitter<Uri>();

  const show = async (name: string, text: string, line: number): Promise<void> => {
    const uri = Uri.from({ scheme: SCHEME, path: `/${name}` });
    texts.set(uri.toString(), text);
    changed.fire(uri);
    const document = await workspace.openTextDocument(uri);
    const editor = await window.showTextDocument(document, { preview: false });
    const range = document.lineAt(Math.min(line, document.lineCount - 1)).range;
    editor.selection = new Selection(range.start, range.start);
    editor.revealRange(range, TextEditorRevealType.InCenter);
  };

  return Disposable.from(
    changed,
    workspace.registerTextDocumentContentProvider(SCHEME, {
      onDidChange: changed.event,
      provideTextDocumentContent: (uri) => texts.get(uri.toString()) ?? "",
    }),
    workspace.onDidCloseTextDocument(({ uri }) => texts.delete(uri.toString())),
    ...DOCUMENTS.map(({ command, title, name, text }) =>
      registerCommand<VariableSubject>(command, (subject) =>
        withReference(title, subject, async (session, reference) => {
          const made = await text(session, reference);
          await show(`${name} ${reference.replaceAll("/", ",")}`, made.text, made.line);
        }),
      ),
    ),
  );
}
