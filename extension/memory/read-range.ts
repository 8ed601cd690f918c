/** Reads a range that may have holes with DAP's readMemory, which ends at each of them. */
import type { DebugProtocol } from "../../debug-adapter/protocol.ts";

/** A byte, or null where there is none to read. */
export type Cell = number | null;

type Answer = Pick<
  NonNullable<DebugProtocol.ReadMemoryResponse["body"]>,
  "data" | "unreadableBytes"
>;

/** `read` asks for bytes from an offset of the range. */
export async function readRange(
  read: (offset: number, count: number) => PromiseLike<Answer | undefined>,
  count: number,
): Promise<Cell[]> {
  const cells: Cell[] = new Array<Cell>(count).fill(null);
  let at = 0;
  while (at < count) {
    const answer = await read(at, count - at);
    const bytes = answer?.data === undefined ? new Uint8Array(0) : fromBase64(answer.data);
    for (const [i, byte] of bytes.subarray(0, count - at).entries()) cells[at + i] = byte;
    // Behind bytes comes a hole, whose length is known only when it is asked for.
    const hole = answer?.unreadableBytes ?? count - at;
    at += bytes.length > 0 ? bytes.length : Math.max(1, hole);
  }
  return cells;
}

const fromBase64 = (text: string): Uint8Array =>
  Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

export const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
