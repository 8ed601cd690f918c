/** What leaves the ports while the machine goes through a stretch of a run. */
import type { Machine } from "../../emulator/index.ts";
import type { ConsoleTail } from "../console/console-tail.ts";
import type { FutureDifference } from "../protocol.ts";

/** Bytes of a port that are kept; what comes after them is not compared. */
const MOST_BYTES = 2 ** 20;
/** Characters of each that a difference shows. */
const MOST_SHOWN = 2_000;

/** Bytes by port. */
export type ConsoleRecord = ReadonlyMap<string, readonly number[]>;

/** Fills a record until it is stopped, from the lines on that the ports are in. */
export function recordConsole(
  machine: Machine,
  { begunLines }: ConsoleTail,
): { record: ConsoleRecord; stop: () => void } {
  const record = new Map(begunLines.map(([port, line]) => [port, bytesOf(line)]));
  const stop = machine.observe({
    name: "console record",
    on: {
      console: ({ source, byte }) => {
        const bytes = record.get(source) ?? [];
        record.set(source, bytes);
        if (bytes.length < MOST_BYTES) bytes.push(byte);
        return undefined;
      },
    },
  });
  return { record, stop };
}

const bytesOf = (line: string): number[] => Array.from(line, (each) => each.charCodeAt(0));

const NEWLINE = 0x0a;

/** The ports that sent something else, each from the beginning of the line in which it does. */
export function consoleDifferences(a: ConsoleRecord, b: ConsoleRecord): FutureDifference[] {
  const ports = [...new Set([...a.keys(), ...b.keys()])].sort();
  return ports.flatMap((name) => {
    const [one, other] = [a.get(name) ?? [], b.get(name) ?? []];
    let first = 0;
    while (first < one.length && one[first] === other[first]) first++;
    if (first === one.length && first === other.length) return [];
    const start = first === 0 ? 0 : one.lastIndexOf(NEWLINE, first - 1) + 1;
    return [{ name, a: textOf(one, start), b: textOf(other, start) }];
  });
}

function textOf(bytes: readonly number[], start: number): string {
  const text = new TextDecoder().decode(Uint8Array.from(bytes.slice(start, start + MOST_SHOWN)));
  return text.replaceAll("\r\n", "\n");
}
