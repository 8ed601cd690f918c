/** Counts and records the VM exits of a run, by observing the machine. */

import { writeFileSync } from "node:fs";
import { exitName, type Machine, type Observer } from "../emulator/index.ts";
import { BadInput } from "./bad-input.ts";

interface ExitRow {
  readonly number: number;
  readonly reason: string;
  readonly code: string;
  readonly info1: string;
  readonly info2: string;
  readonly guestRip: string;
  readonly icount: number;
  readonly ticks: number;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

function put(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new BadInput(`Exits cannot be written to ${file}: ${(error as Error).message}`);
  }
}

export class ExitLog {
  /** With a file every exit is kept for it; the file is made at once, so that a bad path shows. */
  constructor(machine: Machine, file: string | undefined) {
    this.machine = machine;
    this.file = file;
    if (file !== undefined) put(file, "");
  }
  private readonly machine: Machine;
  private readonly file: string | undefined;
  /** Exits by reason. */
  readonly counts = new Map<string, number>();
  private readonly rows: ExitRow[] = [];

  readonly observer: Observer = {
    name: "exit log",
    on: {
      exit: ({ number, code, info1, info2, guestRip }) => {
        const reason = exitName(code);
        this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
        if (this.file !== undefined) {
          const { icount, ticks } = this.machine;
          this.rows.push({
            number,
            reason,
            code: hex(code),
            info1: hex(info1),
            info2: hex(info2),
            guestRip: hex(guestRip),
            icount,
            ticks,
          });
        }
        return undefined;
      },
    },
  };

  /** Writes the rows as JSON or CSV, by the file's ending. */
  write(): void {
    const { file } = this;
    if (file !== undefined) put(file, file.endsWith(".json") ? this.json() : this.csv());
  }

  private json(): string {
    return `[\n${this.rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`;
  }

  private csv(): string {
    const columns: (keyof ExitRow)[] = [
      "number",
      "reason",
      "code",
      "info1",
      "info2",
      "guestRip",
      "icount",
      "ticks",
    ];
    const lines = this.rows.map((row) => columns.map((c) => row[c]).join(","));
    return `${[columns.join(","), ...lines].join("\n")}\n`;
  }
}
