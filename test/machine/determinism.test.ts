// Same images, same state hash at the same instant: whatever watches, reads, slices or snapshots.

import { beforeAll, describe, expect, test } from "vitest";
import {
  currentNested,
  currentPaging,
  DebugMemory,
  type Machine,
  PageReason,
  type Snapshot,
} from "../../emulator/index.ts";
import { type Booted, bootLinux, makeGuests } from "../harness/linux-guest.ts";
import { randomFraction } from "../harness/random.ts";

const M = 1_000_000;
const SEED = 20_260_101;

/** Instants from reset: MinVisor's copying, the decompressor, then the kernel with its timer on. */
const EARLY = [1 * M, 10 * M, 25 * M, 50 * M, 60 * M];
/** Instants in user mode: sha256sum runs, with timer interrupts and system calls. */
const LATE_START = 660 * M;
const LATE = [662 * M, 663 * M + 345_678, 668 * M];

/** Gets a machine from its present instant to another one. */
type Way = (machine: Machine, to: number) => void;

const plainly: Way = (machine, to) => {
  while (machine.icount < to) machine.run({ instructions: to - machine.icount });
};

/** Calls `between` after runs of the sizes that `size` gives. */
function inPieces(size: () => number, between: (machine: Machine) => void): Way {
  return (machine, to) => {
    while (machine.icount < to) {
      machine.run({ instructions: Math.min(size(), to - machine.icount) });
      between(machine);
    }
  };
}

function oddSlices(): Way {
  const random = randomFraction(SEED);
  return inPieces(
    () => (random() < 0.5 ? 1 + Math.floor(random() * 50) : 1 + Math.floor(random() * 99_991)),
    () => {},
  );
}

function snapshots(): Way {
  return inPieces(
    () => M,
    (machine) => machine.restore(machine.snapshot()),
  );
}

/** Every register, the code at RIP, the stack, and both through whatever tables are in force. */
function readEverything(machine: Machine, memory: DebugMemory): number {
  const { state } = machine;
  const paging = currentPaging(state);
  const nested = currentNested(state);
  const guest = nested === undefined ? { paging } : { paging, nested };
  const worlds = { host: paging, guest };
  let bytes = 0;
  for (const address of [state.rip, state.rsp, state.rip ^ 0xfff000n]) {
    bytes += memory.peek({ kind: "gva" }, address, 5000, worlds).length;
    bytes += memory.peek({ kind: "hva" }, address, 16, worlds).length;
  }
  bytes += memory.peek({ kind: "hpa" }, 0xb8000n, 4096, worlds).length;
  bytes += machine.cpu.mmu.tlb.entries().next().done === true ? 0 : 1;
  for (const name of ["rax", "cr3", "efer", "xmm0"] as const) bytes += Number(state[name] & 1n);
  return bytes;
}

function debuggerReading(): Way {
  let memory: DebugMemory | undefined;
  let bytes = 0;
  const way = inPieces(
    () => 20_011,
    (machine) => {
      memory ??= new DebugMemory(machine.memory);
      bytes += readEverything(machine, memory);
    },
  );
  return (machine, to) => {
    way(machine, to);
    expect(bytes).toBeGreaterThan(100_000);
  };
}

/** Every page watched for reads and writes, by an observer that is told of each. */
function watched(): Way {
  let machineSeen: Machine | undefined;
  let reads = 0;
  let writes = 0;
  return (machine, to) => {
    if (machineSeen === undefined) {
      machineSeen = machine;
      machine.memory.addReasonToAll(PageReason.watchRead | PageReason.watchWrite);
      machine.observe({
        name: "watches all",
        on: {
          physicalRead: () => {
            reads++;
            return undefined;
          },
          physicalWrite: () => {
            writes++;
            return undefined;
          },
        },
      });
    }
    const before = { reads, writes, at: machine.icount };
    plainly(machine, to);
    // Nearly every tenth instruction, at the very least, reads or writes.
    expect(reads - before.reads + writes - before.writes).toBeGreaterThan((to - before.at) / 20);
  };
}

/** Watches, by linear address, the pages of code, stack and tables in use, of guest and host. */
function watchedByLinear(): Way {
  let told = 0;
  const pages = new Set<bigint>();
  let observed: Machine | undefined;
  const way = inPieces(
    () => 50_021,
    (machine) => {
      if (observed !== machine) {
        observed = machine;
        machine.observe({
          name: "linear pages",
          on: {
            linearAccess: () => {
              told++;
              return undefined;
            },
          },
        });
      }
      const { rip, rsp, rsi, rdi, gdtr, idtr } = machine.state;
      for (const address of [rip, rsp, rsi, rdi, gdtr.base, idtr.base]) {
        const page = address >> 12n;
        if (pages.has(page)) continue;
        pages.add(page);
        machine.cpu.mmu.watchLinear(address);
      }
    },
  );
  return (machine, to) => {
    const before = told;
    way(machine, to);
    expect(told - before).toBeGreaterThan(10_000);
  };
}

/** First plainly up to an instant: what a way costs for each instruction is saved there. */
const after =
  (start: number, way: Way): Way =>
  (machine, to) => {
    plainly(machine, Math.min(start, to));
    if (to > start) way(machine, to);
  };

function hashesAt(machine: Machine, instants: readonly number[], way: Way): string[] {
  return instants.map((instant) => {
    way(machine, instant);
    expect(machine.icount).toBe(instant);
    return `${instant}: ${machine.stateHash()}`;
  });
}

describe("from reset", () => {
  let expected: string[] = [];

  beforeAll(() => {
    makeGuests();
    expected = hashesAt(bootLinux().machine, EARLY, plainly);
  }, 300_000);

  test.each<[string, () => Way]>([
    ["the same again", () => plainly],
    [`in slices of odd sizes (seed ${SEED})`, oddSlices],
    ["with a snapshot taken and restored each million instructions", snapshots],
    ["with a debugger that reads memory and registers", debuggerReading],
    ["with every page watched in the kernel", () => after(57 * M, watched())],
    ["with linear pages watched", watchedByLinear],
  ])("%s", (_, way) => {
    expect(hashesAt(bootLinux().machine, EARLY, way())).toEqual(expected);
  });

  test("with every page watched from the first instruction on", () => {
    const instants = EARLY.slice(0, 2);
    expect(hashesAt(bootLinux().machine, instants, watched())).toEqual(expected.slice(0, 2));
  });

  test("hashes differ between instants", () => {
    expect(new Set(expected.map((line) => line.split(": ")[1])).size).toBe(EARLY.length);
  });
});

describe("in user mode", () => {
  let booted: Booted;
  let start: Snapshot;
  let startHash = "";
  let expected: string[] = [];

  beforeAll(() => {
    booted = bootLinux();
    plainly(booted.machine, LATE_START);
    expect(booted.console).toContain("GUEST-READY");
    start = booted.machine.snapshot();
    startHash = booted.machine.stateHash();
    expected = hashesAt(booted.machine, LATE, plainly);
  }, 300_000);

  test.each<[string, () => Way]>([
    ["back from a snapshot", () => plainly],
    [`in slices of odd sizes (seed ${SEED})`, oddSlices],
    ["with a snapshot taken and restored each million instructions", snapshots],
    ["with a debugger that reads memory and registers", debuggerReading],
    ["with every page watched", watched],
    ["with linear pages watched", watchedByLinear],
  ])("%s", (_, way) => {
    const { machine } = booted;
    machine.restore(start);
    expect(machine.stateHash()).toBe(startHash);
    expect(hashesAt(machine, LATE, way())).toEqual(expected);
  });
});
