/** The last characters that each port has sent: it goes back in time with the machine. */
import type { Follower, Machine } from "../../emulator/index.ts";

/** Characters that are kept at least. */
export const TAIL_LENGTH = 1024;

/** Bytes as characters, without carriage returns. */
export class ConsoleTail implements Follower {
  readonly name = "console tail";
  readonly version = "1";
  private tails: Readonly<Record<string, string>> = {};

  constructor(machine: Machine) {
    machine.observe({
      name: "console tail",
      on: {
        console: ({ source, byte }) => {
          this.add(source, String.fromCharCode(byte));
          return undefined;
        },
      },
    });
  }

  private add(port: string, character: string): void {
    if (character === "\r") return;
    const tail = this.of(port) + character;
    const kept = tail.length > 2 * TAIL_LENGTH ? tail.slice(-TAIL_LENGTH) : tail;
    this.tails = { ...this.tails, [port]: kept };
  }

  of(port: string): string {
    return this.tails[port] ?? "";
  }

  /** By port: what it has sent since its last end of a line. */
  get begunLines(): (readonly [port: string, line: string])[] {
    return Object.entries(this.tails).map(
      ([port, tail]) => [port, tail.slice(tail.lastIndexOf("\n") + 1)] as const,
    );
  }

  save(): unknown {
    return this.tails;
  }

  restore(saved: unknown): void {
    this.tails = saved as typeof this.tails;
  }
}
