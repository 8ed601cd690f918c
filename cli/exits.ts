/** `minvisor exits`: the exits of a recording, filtered, grouped, printed and written. */
import {
  DivergedError,
  type ExitGroup,
  ExitLedger,
  exitName,
  type GroupBy,
  Guests,
  groupRows,
  type LedgerCondition,
  type LedgerTable,
  type Recording,
  replayChecked,
  selectRows,
  timelineOf,
} from "../emulator/index.ts";
import {
  asText,
  type Column,
  EXIT_COLUMNS,
  ledgerRows,
  type Rows,
  writeTable,
} from "./exit-table.ts";
import { openRecording, recordedMachine } from "./open-recording.ts";
import { Status } from "./status.ts";

export interface ExitsOptions {
  readonly file: string;
  readonly where: readonly LedgerCondition[];
  readonly groupBy: GroupBy | undefined;
  /** Files to write instead of printing. */
  readonly outputs: readonly {
    readonly format: "json" | "csv" | "parquet";
    readonly file: string;
  }[];
}

/** Of a recording that has none, by replaying it. Throws a DivergedError. */
function ledgerOf(recording: Recording): LedgerTable {
  if (recording.ledger !== undefined) return recording.ledger;
  const machine = recordedMachine(recording);
  const guests = new Guests(machine);
  const ledger = new ExitLedger(machine, guests);
  const timeline = timelineOf(machine, recording, {
    followers: [guests, ledger],
    interval: Number.POSITIVE_INFINITY,
    denseInterval: Number.POSITIVE_INFINITY,
  });
  for (const _ of replayChecked(timeline, recording, recording.end));
  return ledger.table;
}

const GROUP_KEY: Record<GroupBy, Column<ExitGroup>> = {
  reason: { name: "reason", kind: "text", of: ({ key }) => exitName(key) },
  guest: { name: "guest", kind: "count", of: ({ key }) => Number(key) },
  rip: { name: "guestRip", kind: "hex", of: ({ key }) => key },
  cr3: { name: "cr3", kind: "hex", of: ({ key }) => key },
  port: { name: "port", kind: "hex", of: ({ key }) => key },
  msr: { name: "msr", kind: "hex", of: ({ key }) => key },
};

const groupColumns = (by: GroupBy): readonly Column<ExitGroup>[] => [
  GROUP_KEY[by],
  { name: "count", kind: "count", of: ({ count }) => count },
  { name: "costSum", kind: "count", of: ({ cost }) => cost.sum },
  { name: "costMin", kind: "count", of: ({ cost, finished }) => (finished ? cost.min : undefined) },
  { name: "costMax", kind: "count", of: ({ cost, finished }) => (finished ? cost.max : undefined) },
];

function put<Row>(options: ExitsOptions, columns: readonly Column<Row>[], rows: Rows<Row>): void {
  for (const { format, file } of options.outputs) writeTable(file, format, columns, rows);
  if (options.outputs.length > 0) return;
  for (const line of asText(columns, rows)) process.stdout.write(line);
}

/** Returns the exit status. Throws BadInput. */
export function exits(options: ExitsOptions): number {
  const recording = openRecording(options.file);
  const { groupBy, where } = options;
  try {
    const table = ledgerOf(recording);
    if (groupBy === undefined) {
      put(options, EXIT_COLUMNS, ledgerRows(table, selectRows(table, where)));
    } else {
      const groups = groupRows(table, groupBy, where);
      put(options, groupColumns(groupBy), {
        length: groups.length,
        at: (index) => groups[index] as ExitGroup,
      });
    }
    return Status.done;
  } catch (error) {
    if (!(error instanceof DivergedError)) throw error;
    process.stderr.write(`minvisor: ${error.message}.\n`);
    return Status.diverged;
  }
}
