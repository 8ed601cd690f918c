/** The seeded bugs: each is caught by its invariant, on its line, and no invariant says what is not so. */
import { expect, test } from "vitest";
import type { BootImage, Machine } from "../../emulator/index.ts";
import { type Culprit, findCulprit, runAgain, type Violation } from "../../invariants/index.ts";
import {
  HOSTILE_GUEST,
  SEEDED_BUGS,
  type SeededBug,
  seededBugElf,
} from "../../scripts/build-minvisor.mjs";
import { ProgramSymbols } from "../../symbols/program.ts";
import { elfOf, imageOf, machineWith, placesOf, programOf, REGION, read } from "./boot.ts";
import { attachAll, MINVISOR_INV, readAll } from "./minvisor-inv.ts";

interface Caught {
  /** As the literature report numbers them; undefined for those that it does not have. */
  readonly bug?: string;
  /** The one that names the culprit. */
  readonly by: string;
  /** Others that the same bug truly violates in the run. */
  readonly also?: readonly string[];
}

const BUGS: { readonly [folder: string]: Caught } = {
  "wrong-region-size": {
    bug: "M1",
    by: "npt_is_identity",
    also: ["builder_maps_one_to_one", "npt_protects_hypervisor"],
  },
  "wrapped-leaf-index": {
    bug: "M2",
    by: "npt_is_identity",
    also: ["builder_maps_one_to_one", "npt_protects_hypervisor", "ram_is_mapped"],
  },
  "tables-outside-region": {
    bug: "M3",
    by: "npt_tables_in_hypervisor",
    also: ["builder_keeps_tables_inside"],
  },
  "leaf-without-user": { bug: "M4", by: "npt_entries_well_formed" },
  "nested-paging-off": {
    bug: "M5",
    by: "nested_paging_is_live",
    // Without nested paging the guest's store does reach MinVisor's first byte.
    also: ["vmcb_well_formed", "text_is_not_written"],
  },
  "vmrun-not-intercepted": {
    bug: "M6",
    by: "vmcb_well_formed",
    also: ["svm_instructions_are_intercepted", "intercepts_are_minvisors", "vmrun_is_accepted"],
  },
  "vmload-not-intercepted": {
    bug: "M7",
    by: "svm_instructions_are_intercepted",
    also: ["intercepts_are_minvisors"],
  },
  "open-msr-map": {
    bug: "M8",
    by: "host_msrs_are_intercepted",
    also: [
      ...["mediated_msrs_are_intercepted", "msr_map_opens_its_list_only"],
      ...["save_area_is_the_hosts", "save_area_stays", "host_is_restored"],
    ],
  },
  "blind-wrmsr": {
    bug: "M9",
    by: "host_writes_listed_msrs",
    also: ["control_pages_in_hypervisor", "control_pages_in_region", "save_area_stays"],
  },
  // As far as there is no DEV: the map alone, not what the guest does to the DEV through it.
  "open-io-map": {
    bug: "M10",
    by: "mediated_ports_are_intercepted",
    also: ["io_map_opens_its_list_only"],
  },
  "unmap-without-flush": { bug: "M12", by: "tlb_is_fresh", also: ["ram_is_mapped"] },
  // Both run on a copy of the root.
  "stale-clean-bits": { bug: "M13", by: "clean_bits_are_true", also: ["root_is_the_builders"] },
  "rip-by-length": { bug: "M14", by: "rip_moves_on" },
  "cpuid-clobbers-rbp": {
    bug: "M15",
    by: "handlers_keep_registers",
    also: ["cpuid_changes_four_registers"],
  },
  "first-byte-checked": {
    bug: "M16",
    by: "guest_writes_its_own_bytes",
    also: ["guest_reads_its_own_bytes", "text_is_not_written"],
  },
  "shared-asid": {
    bug: "M17",
    by: "asids_are_unique",
    also: ["root_is_the_builders", "vmcb_is_the_one"],
  },
  "stack-overflow": {
    bug: "M18",
    by: "stack_stays_in_bounds",
    also: ["host_map_is_identity"],
  },
  "progress-in-guest-memory": { by: "builder_changes_its_tables_only" },
};
/** M11 is a device that writes to memory by itself: the machine has none. */
const NOT_COVERED = ["M11"];

const hostile = (elf: string): BootImage =>
  imageOf(elf, [{ name: "hostile.bin", bytes: read(HOSTILE_GUEST) }]);

/** To the end of the hostile guest, with a fault put in on the way. */
function run(elf: string, fault?: (machine: Machine) => void) {
  const machine = machineWith(hostile(elf));
  fault?.(machine);
  const attached = attachAll(machine, elf);
  machine.run({ instructions: 1_000_000 });
  const violated = [...new Set(attached.violations.map(({ invariant }) => invariant))].sort();
  return { ...attached, violated };
}

function culpritOf(elf: string, violation: Violation): Culprit {
  const search = findCulprit(runAgain(machineWith(hostile(elf)), violation), violation);
  for (;;) {
    const step = search.next();
    if (step.done) return step.value;
  }
}

test("minvisor.inv has no diagnostics, and every invariant says what and where from", () => {
  const { own } = readAll(elfOf());
  expect(own.diagnostics).toEqual([]);
  for (const { doc, source } of own.invariants) {
    expect(doc).toMatch(/^[A-Z].*[^.]$/);
    expect(source).toMatch(/./);
  }
});

test("every seeded bug is here, M1 to M18 but for what the machine has no hardware for", () => {
  expect(Object.keys(BUGS).sort()).toEqual([...SEEDED_BUGS].sort());
  const ours = Object.values(BUGS).flatMap(({ bug }) => bug ?? []);
  const numbers = [...ours, ...NOT_COVERED];
  const wanted = Array.from({ length: 18 }, (_, i) => `M${i + 1}`);
  expect(numbers.sort()).toEqual(wanted.sort());
});

test("MinVisor itself keeps all of them, whatever the guest tries", () => {
  const { violated, states } = run(elfOf());
  expect(violated).toEqual([]);
  const others = Object.entries(states()).filter(([, state]) => state !== "holds");
  // No MSR is written for the guest, no text and no save area at all, and none of its bytes; the
  // host takes no exception.
  expect(Object.fromEntries(others)).toEqual({
    host_writes_listed_msrs: "never checked",
    text_is_not_written: "never checked",
    save_area_is_vmruns: "never checked",
    save_area_stays: "never checked",
    host_does_not_fault: "never checked",
    only_msr_probes_fault: "never checked",
    guest_writes_its_own_bytes: "never checked",
  });
});

test.each(Object.entries(BUGS))("%s", (folder, { by, also = [] }) => {
  const elf = seededBugElf(folder);
  const { violated, violations } = run(elf);
  expect(violated).toEqual([by, ...also].sort());
  const violation = violations.find(({ invariant }) => invariant === by) as Violation;
  const culprit = culpritOf(elf, violation);
  expect(culprit).toMatchObject({ kind: "write", world: "host" });
  const { rip } = culprit as Extract<Culprit, { kind: "write" }>;
  const at = new ProgramSymbols(read(elf), folder).sourceAt(rip);
  expect(at).toMatchObject(placesOf(folder as SeededBug).culprit);
});

const VMCB = {
  ...{ MISC1: 0x0c, ASID: 0x58, EXITINTINFO: 0x88, NCR3: 0xb0 },
  ...{ CR3: 0x550, RIP: 0x578, RAX: 0x5f8 },
};
const symbols = new ProgramSymbols(read(elfOf()), "minvisor");
const addressOf = (name: string): number => {
  const found = programOf(elfOf()).global(name);
  const [variable] = symbols.globalsNamed(name);
  const at = found && variable?.locate({ register: () => undefined, readMemory: () => undefined });
  if (at?.kind !== "memory") throw new Error(`${name} is in no memory`);
  return Number(at.address);
};
const poke = (machine: Machine, address: number, value: bigint): void => {
  machine.memory.poke(address, new Uint8Array(new BigUint64Array([value]).buffer));
};

/** Each time before the invariants are judged at the VMRUN that follows an exit of that code. */
const atVmrunAfter = (code: bigint, change: (machine: Machine) => void) => (machine: Machine) => {
  let last: bigint | undefined;
  const on = {
    exit: (event: { code: bigint }): undefined => {
      last = event.code;
    },
    vmrunStart: (): undefined => {
      if (last === code) change(machine);
    },
  };
  machine.observe({ name: "fault", on });
};

/** The function begins with MOV DS of a selector behind the GDT's end, which is #GP. */
const faultIn = (name: string) => (machine: Machine) => {
  const at = Number(programOf(elfOf()).addressOf(name));
  machine.memory.poke(at, Uint8Array.of(0xb8, 0x00, 0x10, 0x00, 0x00, 0x8e, 0xd8));
};

const INTERCEPT_IRET = 1 << 20;
const IRET = 0x74n;
/** Of the table's row for INVD: its code, and behind a name its handler. */
const INVD_ROW = 8 * 24;

const CPUID = 0x72n;
const NPF = 0x400n;

/** What no seeded bug violates, by a change of the machine's memory. */
const FAULTS: { readonly [invariant: string]: (machine: Machine) => void } = {
  builder_is_called_rightly: (machine) =>
    poke(machine, addressOf("minvisor_region") + 8, 0x1030_0000n),
  only_msr_probes_fault: faultIn("exit_cpuid"),
  vmcb_is_the_hosts: (machine) => {
    const vmrun = (): undefined => {
      machine.memory.write(addressOf("vmcb") + VMCB.ASID, 4, 1n);
    };
    machine.observe({ name: "fault", on: { vmrun } });
  },
  handlers_keep_system_state: atVmrunAfter(CPUID, (machine) =>
    poke(machine, addressOf("vmcb") + VMCB.CR3, 0x1000n),
  ),
  rip_stays: atVmrunAfter(NPF, (machine) => {
    const rip = addressOf("vmcb") + VMCB.RIP;
    poke(machine, rip, machine.memory.read(rip, 8) + 1n);
  }),
  root_is_the_builders: atVmrunAfter(CPUID, (machine) => {
    const copy = REGION.first + REGION.bytes - 4096;
    machine.memory.poke(copy, machine.memory.peek(addressOf("pml4"), 4096).slice());
    poke(machine, addressOf("vmcb") + VMCB.NCR3, BigInt(copy));
  }),
  exits_are_handled: atVmrunAfter(CPUID, (machine) => {
    const intercepts = addressOf("vmcb") + VMCB.MISC1;
    const word = Number(machine.memory.read(intercepts, 4)) | INTERCEPT_IRET;
    machine.memory.poke(intercepts, new Uint8Array(new Uint32Array([word]).buffer));
    const row = addressOf("exit_table") + INVD_ROW;
    poke(machine, row, IRET);
    poke(machine, row + 16, programOf(elfOf()).addressOf("exit_intr") ?? 0n);
  }),
  gif_is_clear: atVmrunAfter(CPUID, (machine) => {
    machine.state.gif = 1;
  }),
  svm_is_hidden: (machine) => {
    const exit = ({ code }: { code: bigint }): undefined => {
      if (code === CPUID) poke(machine, addressOf("vmcb") + VMCB.RAX, 0x8000_0001n);
    };
    machine.observe({ name: "another leaf", on: { exit } });
    atVmrunAfter(CPUID, () => poke(machine, addressOf("guest") + 8, 4n))(machine);
  },
  interrupted_events_are_kept: atVmrunAfter(CPUID, (machine) =>
    poke(machine, addressOf("vmcb") + VMCB.EXITINTINFO, 0x8000_0020n),
  ),
};

test(`each invariant of ${MINVISOR_INV} is violated by a seeded bug or by a fault below`, () => {
  const byBugs = Object.values(BUGS).flatMap(({ by, also = [] }) => [by, ...also]);
  const violated = new Set([...byBugs, ...Object.keys(FAULTS)]);
  const { own } = readAll(elfOf());
  expect(own.invariants.map(({ name }) => name).filter((name) => !violated.has(name))).toEqual([]);
});

test.each(Object.entries(FAULTS))("%s is violated by its fault", (name, fault) => {
  expect(run(elfOf(), fault).violated).toEqual([name]);
});
