// MinVisor and Linux on QEMU and on our machine: the same console, the same exits, count by count, and all invariants.

import { beforeAll, describe, expect, test } from "vitest";
import type { InvariantStatus, Violation } from "../../invariants/index.ts";
import { MINVISOR_ELF } from "../../scripts/build-minvisor.mjs";
import { KERNEL_ARGUMENTS, READY_LINE, RESULTS } from "../../scripts/guest-linux.mjs";
import { bootOnQemu, type Counts, linuxModules, parseCounts } from "../../scripts/qemu-boot.mjs";
import { bootLinux, makeGuests } from "../harness/linux-guest.ts";
import { attachAll, notKept, readAll } from "../invariants/minvisor-inv.ts";

/** A counter by its table and key, as in "ports 0x0cf8 out mediated". */
type Counter = string;

interface Difference {
  readonly counters: readonly Counter[];
  readonly why: string;
  /** QEMU runs by the wall clock: in some of its runs these are equal. */
  readonly byTiming?: true;
}

/**
 * Every counter that may differ. A counter that differs and is not here fails the test, and so does
 * one here that does not differ, unless it is QEMU's wall clock that decides.
 */
const DIFFERENCES: readonly Difference[] = [
  {
    counters: ["ports 0x0cf8 out mediated"],
    why: "PCI configuration: QEMU's bus has a host bridge and the PIIX3's functions, ours is empty",
  },
  {
    counters: [
      "ports 0xae10 out refused",
      "ports 0xae14 out refused",
      "ports 0xae14 in refused",
      "ports 0xaf00 out refused",
      "ports 0xaf04 in refused",
    ],
    why: "QEMU's ACPI tables have methods for PCI and CPU hot-plug, which Linux calls; ours have none",
  },
  {
    counters: ["ports 0x0064 out mediated", "ports 0x0064 in mediated"],
    why:
      "Linux asks the mouse's port for a keyboard once or twice, as its kernel threads happen to " +
      "take turns: one more D4 F2 and two more writes of the 8042's configuration are 3 OUTs",
    byTiming: true,
  },
  { counters: ["exits IOIO"], why: "the sum of the ports" },
];

interface Side {
  readonly console: string;
  readonly counts: Counts;
}

interface Checked extends Side {
  readonly exits: number;
  readonly violations: readonly Violation[];
  readonly statuses: readonly InvariantStatus[];
}

interface Wanted {
  readonly memory: number;
  /** More arguments for Linux. */
  readonly more?: string;
  /** What the guest prints. */
  readonly results: string;
}

/** The guest's whole work once; in another size of memory the boot alone, which is what can differ. */
const BOOTS: readonly Wanted[] = [
  { memory: 512, results: RESULTS },
  {
    memory: 1024,
    more: `rdinit=/bin/sh -- -c "echo ${READY_LINE}; poweroff -f"`,
    results: READY_LINE,
  },
];

async function onQemu({ memory, more }: Wanted): Promise<Side> {
  const modules = linuxModules(more);
  const { com1, counts, timedOut, status } = await bootOnQemu({ modules, memory });
  expect(timedOut, `QEMU did not end; COM1 so far:\n${com1}`).toBe(false);
  expect(status).toBe(0);
  return { console: com1.replaceAll("\r", ""), counts };
}

/** Those judged at each VMRUN; before the first there was no exit to look at. */
const AT_VMRUN: ReadonlySet<string> = new Set(
  readAll(MINVISOR_ELF)
    .all.flatMap(({ invariants }) => invariants)
    .filter(({ events }) => events.some(({ name }) => name === "vmrun"))
    .map(({ name }) => name),
);

/** Every invariant of svm.inv and minvisor.inv is checked all the way. */
function onOurs({ memory, more }: Wanted): Checked {
  const booted = bootLinux({ memory, arguments: [KERNEL_ARGUMENTS, more ?? []].flat().join(" ") });
  const { violations, status } = attachAll(booted.machine, MINVISOR_ELF);
  expect(booted.runToEnd(4e9), booted.console).toEqual({ reason: "powerOff" });
  const { exitCount: exits } = booted.machine.state;
  const counts = parseCounts(booted.com2);
  return { console: booted.console, counts, exits, violations, statuses: status() };
}

function flatten({ exits, cpuid, msrs, ports }: Counts): Map<Counter, number> {
  const tables = Object.entries({ exits, cpuid, msrs, ports });
  return new Map(
    tables.flatMap(([table, counters]) =>
      Object.entries(counters).map(([key, count]) => [`${table} ${key}`, count] as const),
    ),
  );
}

/** The counters that differ, as "ours QEMU's". */
function differences(ours: Counts, qemu: Counts): Record<Counter, string> {
  const [own, theirs] = [flatten(ours), flatten(qemu)];
  const found: Record<Counter, string> = {};
  for (const counter of new Set([...own.keys(), ...theirs.keys()])) {
    const [a, b] = [own.get(counter) ?? 0, theirs.get(counter) ?? 0];
    if (a !== b) found[counter] = `ours ${a}, QEMU ${b}`;
  }
  return found;
}

describe.each(BOOTS)("in $memory MiB", (wanted) => {
  let ours: Checked;
  let qemu: Side;

  beforeAll(async () => {
    makeGuests();
    qemu = await onQemu(wanted);
    ours = onOurs(wanted);
  }, 300_000);

  test("the guest prints the same results", () => {
    for (const { console } of [qemu, ours]) {
      expect(console).toContain(wanted.results);
      expect(console).not.toMatch(/Call Trace|unchecked MSR|BUG:|WARNING:/);
    }
  });

  test("no invariant is violated, and each that is judged at VMRUN was at every one", () => {
    expect(ours.violations).toEqual([]);
    expect(notKept(ours.statuses)).toEqual([]);
    for (const { name, checked } of ours.statuses.filter(({ name }) => AT_VMRUN.has(name))) {
      expect(checked, name).toBeGreaterThanOrEqual(ours.exits - 1);
    }
    expect(ours.exits).toBeGreaterThan(100);
  });

  test("MinVisor sees the same end", () => {
    expect(ours.counts.end).toBe("power-off");
    expect(qemu.counts.end).toBe("power-off");
  });

  test("each CPUID leaf and each MSR is asked for as often", () => {
    expect(ours.counts.cpuid).toEqual(qemu.counts.cpuid);
    expect(ours.counts.msrs).toEqual(qemu.counts.msrs);
    expect(ours.counts.exits.CPUID).toBe(qemu.counts.exits.CPUID);
    expect(ours.counts.exits.MSR).toBe(qemu.counts.exits.MSR);
    expect(ours.counts.exits.CPUID).toBeGreaterThan(100);
    expect(ours.counts.exits.NPF).toBeUndefined();
  });

  test("every other counter is equal or its difference explained", () => {
    const found = differences(ours.counts, qemu.counts);
    const listed = (all: readonly Difference[]) => all.flatMap(({ counters }) => counters).sort();
    const certain = listed(DIFFERENCES.filter(({ byTiming }) => !byTiming));
    const allowed = new Set(listed(DIFFERENCES));
    const text = JSON.stringify(found, null, 1);
    expect(Object.keys(found), text).toEqual(expect.arrayContaining(certain));
    expect(
      Object.keys(found).filter((counter) => !allowed.has(counter)),
      text,
    ).toEqual([]);
  });
});
