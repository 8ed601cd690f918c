/** Read-only documents about an address: its translation, what maps it, its disassembly. */
import { type DebugSession, Disposable } from "vscode";
import type { DebugProtocol } from "../debug-adapter/protocol.ts";
import { registerCommand } from "./commands.ts";
import { COMMANDS, type CommandId } from "./contributions.ts";
import { disassemblyText } from "./disassembly-text.ts";
import type { ReadOnlyDocuments } from "./read-only-documents.ts";
import { type VariableSubject, withReference } from "./references.ts";
import { customRequest } from "./session.ts";

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

export function registerAddressDocuments(documents: ReadOnlyDocuments): Disposable {
  return Disposable.from(
    ...DOCUMENTS.map(({ command, title, name, text }) =>
      registerCommand<VariableSubject>(command, (subject) =>
        withReference(title, subject, async (session, reference) => {
          const made = await text(session, reference);
          await documents.show(`${name} ${reference.replaceAll("/", ",")}`, made.text, made.line);
        }),
      ),
    ),
  );
}
