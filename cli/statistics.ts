/** Prints the statistics of a run on standard error. */

import {
  exitName,
  groupRows,
  type LedgerTable,
  type Machine,
  unknownMsrAccesses,
} from "../emulator/index.ts";

function table(title: string, rows: Iterable<readonly [string, number]>): string[] {
  const sorted = [...rows].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  return sorted.map(([name, count]) => `${title} ${name} ${count}`);
}

function refusedPorts(machine: Machine): [string, number][] {
  return [...machine.ports.refused].map(([port, { reads, writes }]) => [
    `0x${port.toString(16)}`,
    reads + writes,
  ]);
}

export function printStatistics(
  machine: Machine,
  exits: LedgerTable,
  unimplemented: ReadonlyMap<string, number>,
  cpuSeconds: number,
  result: { readonly reason: string; readonly value?: number },
): void {
  const value = result.value === undefined ? "" : ` 0x${result.value.toString(16)}`;
  const counts = groupRows(exits, "reason");
  const lines = [
    `end ${result.reason}${value}`,
    `instructions ${machine.icount}`,
    `ticks ${machine.ticks}`,
    `cpu-seconds ${cpuSeconds.toFixed(2)}`,
    `mips ${(machine.icount / cpuSeconds / 1e6).toFixed(1)}`,
    ...table(
      "exit",
      counts.map(({ key, count }) => [exitName(key), count]),
    ),
    ...table("unimplemented", unimplemented),
    ...table("refused-port", refusedPorts(machine)),
    ...table("refused-msr", unknownMsrAccesses(machine.cpu)),
  ];
  process.stderr.write(`${lines.join("\n")}\n`);
}
