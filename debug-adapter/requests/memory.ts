/** Requests that read, write and disassemble memory. */

import { formatReference, type MemoryReference } from "../addresses/memory-reference.ts";
import { fromBase64, toBase64 } from "../base64.ts";
import { type Context, stoppedIn } from "../context.ts";
import { type DisassembledRow, disassemble } from "../disassembly.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { hex, QuietError, UserError } from "../text.ts";
import { referenceOf } from "./addresses.ts";
import type { Handlers } from "./types.ts";

const MAX_BYTES = 16 * 1024 * 1024;
const MAX_INSTRUCTIONS = 10_000;
const MAX_DISTANCE = 100_000;
const END = 1n << 64n;

/** Throws a UserError that names the number where it is out of bounds. */
export function bounded(value: number, name: string, from: number, to: number): number {
  if (value >= from && value <= to) return value;
  throw new UserError(`${name} can be ${from} to ${to}, not ${value}.`);
}

/** A resolved reference moved by the request's offset; undefined where that leaves the 64 bits. */
function moved(
  context: Context,
  text: string,
  offset = 0,
): { reference: MemoryReference; isInside: boolean } {
  const { space, address } = referenceOf(context, text);
  const at = address + BigInt(offset);
  const isInside = at >= 0n && at < END;
  return { reference: { space, address: BigInt.asUintN(64, at) }, isInside };
}

/** Bytes of the request that lie below the end of the 64 bits. */
const clipped = ({ address }: MemoryReference, count: number): number =>
  Number(END - address > BigInt(count) ? BigInt(count) : END - address);

/** Tells the user once of each device whose memory is shown. */
function noteDevice(context: Context, reference: MemoryReference): void {
  const { spaces, machine } = stoppedIn(context).debuggee;
  const page = spaces.translate(reference);
  const device = page.kind === "page" ? machine.memory.deviceAt(page.physical) : undefined;
  if (device === undefined || !context.addresses.isNews(`device ${device.name}`)) return;
  const where = `${formatReference(reference)} is memory of the device ${device.name}`;
  const how =
    device.peekMmio === undefined
      ? "it is shown as unreadable, because reading it would change the device"
      : "what is shown is its registers as they are, and reading them has no side effects";
  context.afterResponse(() =>
    context.emit("output", { category: "console", output: `${where}: ${how}.\n` }),
  );
}

/** Every view of memory that the client has may show what changed. */
function announceWrite(context: Context, reference: string, offset: number, count: number): void {
  if (!context.client.supportsMemoryEvent) return;
  context.afterResponse(() => {
    context.emit("memory", { memoryReference: reference, offset, count });
    for (const read of context.addresses.takeReads()) {
      if (read.memoryReference !== reference) context.emit("memory", read);
    }
  });
}

/** Why the first byte cannot be written. */
function refusal(context: Context, reference: MemoryReference): string {
  const { spaces, machine } = stoppedIn(context).debuggee;
  const page = spaces.translate(reference);
  if (page.kind === "fault") return page.reason;
  const device = machine.memory.deviceAt(page.physical);
  return device === undefined
    ? `there is no memory at hpa:${hex(page.physical)}`
    : `the debugger does not write to the device ${device.name}`;
}

export const memoryRequests: Handlers<"readMemory" | "writeMemory" | "disassemble"> = {
  readMemory: (context, args) => {
    const { memoryReference, offset = 0 } = args;
    const { reference, isInside } = moved(context, memoryReference, offset);
    const count = bounded(args.count, "count", 0, MAX_BYTES);
    const { spaces } = stoppedIn(context).debuggee;
    const address = hex(reference.address);
    if (!isInside) return { address, unreadableBytes: count };
    const wanted = clipped(reference, count);
    const bytes = spaces.read(reference, wanted);
    context.addresses.noteRead(memoryReference, offset + count);
    if (count > 0) noteDevice(context, reference);
    if (bytes.length === count) return { address, data: toBase64(bytes) };
    // VS Code takes what is left of the request as unreadable, and pads data that is shorter.
    if (bytes.length > 0) {
      return { address, data: toBase64(bytes), unreadableBytes: count - bytes.length };
    }
    const hole = spaces.unreadable(reference, wanted);
    return { address, unreadableBytes: hole === wanted ? count : hole };
  },

  writeMemory: (context, args) => {
    const { memoryReference, offset = 0 } = args;
    const { reference, isInside } = moved(context, memoryReference, offset);
    const { spaces } = stoppedIn(context).debuggee;
    const bytes = fromBase64(args.data);
    if (bytes === undefined) throw new UserError("The data to write is not base64.");
    const where = formatReference(reference);
    if (!isInside) throw new UserError(`${memoryReference} with offset ${offset} is no address.`);
    const writable = spaces.writable(reference, clipped(reference, bytes.length));
    if (writable < bytes.length && (!args.allowPartial || writable === 0)) {
      const why = writable === 0 ? `: ${refusal(context, reference)}` : "";
      const share = `${writable} of ${bytes.length} bytes`;
      throw new UserError(`Only ${share} at ${where} can be written${why}.`);
    }
    const bytesWritten = spaces.write(reference, bytes.subarray(0, writable));
    announceWrite(context, memoryReference, offset, bytesWritten);
    context.changed();
    return { bytesWritten, offset };
  },

  disassemble: (context, args) => {
    const count = bounded(args.instructionCount, "instructionCount", 0, MAX_INSTRUCTIONS);
    // VS Code asks so for a frame without an instruction, such as a label.
    if (args.memoryReference === "") throw new QuietError("There is no code to disassemble here.");
    const { instructionOffset = 0 } = args;
    const skip = bounded(instructionOffset, "instructionOffset", -MAX_DISTANCE, MAX_DISTANCE);
    const { reference } = moved(context, args.memoryReference, args.offset);
    const { debuggee } = stoppedIn(context);
    const { disassembler } = context.services;
    const rows = disassemble(debuggee, disassembler, reference, skip, count);
    const { space } = reference;
    const address = (row: DisassembledRow) => context.addresses.rowAddress(space, row.address);
    const base = context.client.linesStartAt1 ? 0 : 1;
    let before: DisassembledRow["location"];
    return {
      instructions: rows.map((row) => {
        const { location } = row;
        const isElsewhere = location?.path !== before?.path || location?.line !== before?.line;
        before = location;
        return {
          address: address(row),
          instruction: rowText(row, args.resolveSymbols ?? false),
          ...(row.bytes.length === 0 ? {} : { instructionBytes: bytesText(row.bytes) }),
          ...(row.symbol === undefined ? {} : { symbol: row.symbol }),
          ...lineOf(row, isElsewhere, base),
          ...(row.isValid ? {} : { presentationHint: "invalid" as const }),
        };
      }),
    };
  },
};

/** `location` where the line is another than the row's before: VS Code shows the source there. */
function lineOf({ location }: DisassembledRow, isElsewhere: boolean, base: number) {
  if (location === undefined) return {};
  const { path, line } = location;
  const name = path.split(/[\\/]/).at(-1) ?? path;
  const source: DP.Source = { name, path };
  return { ...(isElsewhere ? { location: source } : {}), line: line - base };
}

/** VS Code shows no symbols of its own: they are part of the text where the client wants them. */
function rowText({ text, symbol, target }: DisassembledRow, resolveSymbols: boolean): string {
  if (!resolveSymbols) return text;
  const start = symbol === undefined ? "" : `<${symbol}>: `;
  return `${start}${text}${target === undefined ? "" : ` <${target}>`}`;
}

const bytesText = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
