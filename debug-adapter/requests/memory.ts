/** Requests that read, write and disassemble memory. */
import { type Context, stoppedIn } from "../context.ts";
import { disassemble } from "../disassembly.ts";
import { formatReference, type MemoryReference, parseReference } from "../memory-reference.ts";
import { hex, UserError } from "../text.ts";
import type { Handlers } from "./types.ts";

const MAX_READ = 16 * 1024 * 1024;
const MAX_INSTRUCTIONS = 10_000;

/** A reference with its offset, fully resolved. */
function resolve(context: Context, text: string, offset = 0): MemoryReference {
  const { debuggee } = stoppedIn(context);
  const reference = parseReference(text, debuggee.world === "host" ? "hva" : "gva");
  const { space, address } = debuggee.spaces.resolved(reference);
  return { space, address: BigInt.asUintN(64, address + BigInt(offset)) };
}

export const memoryRequests: Handlers<"readMemory" | "writeMemory" | "disassemble"> = {
  readMemory: (context, args) => {
    const reference = resolve(context, args.memoryReference, args.offset);
    if (args.count < 0 || args.count > MAX_READ) {
      throw new UserError(`readMemory can read 0 to ${MAX_READ} bytes, not ${args.count}.`);
    }
    const bytes = stoppedIn(context).debuggee.spaces.read(reference, args.count);
    return {
      address: hex(reference.address),
      data: toBase64(bytes),
      ...(bytes.length < args.count ? { unreadableBytes: args.count - bytes.length } : {}),
    };
  },

  writeMemory: (context, args) => {
    const reference = resolve(context, args.memoryReference, args.offset);
    const { spaces } = stoppedIn(context).debuggee;
    const bytes = fromBase64(args.data);
    const writable = spaces.read(reference, bytes.length).length;
    if (writable < bytes.length && !args.allowPartial) {
      const where = formatReference(reference);
      throw new UserError(`Only ${writable} of ${bytes.length} bytes at ${where} can be written.`);
    }
    const bytesWritten = spaces.write(reference, bytes);
    context.afterResponse(() => {
      const { memoryReference, offset = 0 } = args;
      if (context.client.supportsMemoryEvent) {
        context.emit("memory", { memoryReference, offset, count: bytesWritten });
      }
    });
    context.changed();
    return { bytesWritten, offset: args.offset ?? 0 };
  },

  disassemble: (context, args) => {
    const { instructionCount: count, instructionOffset: skip = 0 } = args;
    if (count < 0 || count > MAX_INSTRUCTIONS) {
      throw new UserError(
        `disassemble gives up to ${MAX_INSTRUCTIONS} instructions, not ${count}.`,
      );
    }
    const reference = resolve(context, args.memoryReference, args.offset);
    const { debuggee } = stoppedIn(context);
    const { disassembler } = context.services;
    const rows = disassemble(debuggee, disassembler, reference, skip, count);
    const base = context.client.linesStartAt1 ? 0 : 1;
    return {
      instructions: rows.map(({ address, bytes, text, symbol, location, isValid }) => ({
        address: hex(address),
        instruction: text,
        ...(bytes.length === 0 ? {} : { instructionBytes: bytesText(bytes) }),
        ...(symbol === undefined ? {} : { symbol }),
        ...(location === undefined
          ? {}
          : { location: { path: location.path }, line: location.line - base }),
        ...(isValid ? {} : { presentationHint: "invalid" as const }),
      })),
    };
  },
};

const bytesText = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    throw new UserError("The data to write is not base64.");
  }
}
