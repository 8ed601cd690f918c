/** Rows of DAP's disassemble as text, a line each: address, instruction, bytes and source line. */
import type { DebugProtocol } from "../debug-adapter/protocol.ts";

const INSTRUCTION_WIDTH = 56;
const BYTES_WIDTH = 10 * 3;
const MASK = (1n << 64n) - 1n;

/** Rows line up with the reference; its own is marked. */
export function disassemblyText(
  rows: readonly DebugProtocol.DisassembledInstruction[],
  reference: string,
): string {
  const at = BigInt(reference.slice(reference.lastIndexOf(":") + 1));
  return rows.map((row) => line(row, at)).join("\n");
}

function line(row: DebugProtocol.DisassembledInstruction, at: bigint): string {
  // A row's number has its space in the bits above the address (PROTOCOL.md).
  const address = BigInt(row.address) & MASK;
  const name = row.location?.name;
  const source = name === undefined ? "" : `; ${name}:${row.line}`;
  return [
    address === at ? "=>" : "  ",
    address.toString(16).padStart(16, "0"),
    row.instruction.padEnd(INSTRUCTION_WIDTH),
    (row.instructionBytes ?? "").padEnd(BYTES_WIDTH),
    source,
  ]
    .join(" ")
    .trimEnd();
}
