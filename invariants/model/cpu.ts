/** Registers as records: the CPU as it is, the host whether it runs or is suspended, and MSRs. */
import {
  CPU_FIELDS,
  type CpuState,
  currentPaging,
  type FieldName,
  GENERAL_REGISTERS,
  getRflags,
  type Machine,
  MSRS,
} from "../../emulator/index.ts";
import { span } from "../evaluate/value.ts";
import { INTEGER, rangeOf } from "../language/types.ts";
import type { VmrunContext } from "../vmrun-context.ts";
import { defineRecord, type FieldRow } from "./record.ts";

type WholeField = { [N in FieldName]: CpuState[N] extends bigint | number ? N : never }[FieldName];

const CONTROL_FIELDS: { readonly [N in WholeField]?: string } = {
  rip: "The next instruction's offset.",
  cr0: "CR0.",
  cr2: "CR2.",
  cr3: "CR3.",
  cr4: "CR4.",
  dr6: "DR6.",
  dr7: "DR7.",
  efer: "EFER.",
  cpl: "The current privilege level.",
  gif: "The global interrupt flag.",
};

type Rows<H> = { [name: string]: FieldRow<H> };

function stateRow(name: WholeField, doc: string): FieldRow<Machine> {
  return { type: INTEGER, doc, read: ({ state }) => BigInt(state[name]) };
}

function cpuRows(): Rows<Machine> {
  const rows: Rows<Machine> = {};
  for (const name of GENERAL_REGISTERS) rows[name] = stateRow(name, `${name.toUpperCase()}.`);
  for (const [name, doc] of Object.entries(CONTROL_FIELDS)) {
    if (Object.hasOwn(CPU_FIELDS, name)) rows[name] = stateRow(name as WholeField, doc);
  }
  return rows;
}

export const CPU = defineRecord<Machine>("Cpu", {
  doc: "The CPU's registers as they are, the host's or a guest's.",
  isLive: true,
  fields: {
    ...cpuRows(),
    rflags: { type: INTEGER, doc: "RFLAGS.", read: ({ state }) => BigInt(getRflags(state)) },
    in_guest: {
      type: INTEGER,
      doc: "1 while a guest runs, else 0.",
      read: ({ state }) => (state.guestMode === 0 ? 0n : 1n),
    },
    gdtr_base: {
      type: INTEGER,
      doc: "The GDT's first byte.",
      read: ({ state }) => state.gdtr.base,
    },
    gdtr_limit: {
      type: INTEGER,
      doc: "Of the GDT's last byte.",
      read: ({ state }) => BigInt(state.gdtr.limit),
    },
    idtr_base: {
      type: INTEGER,
      doc: "The IDT's first byte.",
      read: ({ state }) => state.idtr.base,
    },
    idtr_limit: {
      type: INTEGER,
      doc: "Of the IDT's last byte.",
      read: ({ state }) => BigInt(state.idtr.limit),
    },
    cs: { type: INTEGER, doc: "CS's selector.", read: ({ state }) => BigInt(state.cs.selector) },
    paging: {
      type: INTEGER,
      doc: "1 where linear addresses are translated, else 0.",
      read: (machine) => (currentPaging(machine.state).cr0 >> 31n) & 1n,
    },
  },
});

export const HOST = defineRecord<VmrunContext>("Host", {
  doc: "The host at VMRUN: its registers, or what the save area keeps of them while a guest runs.",
  isLive: true,
  same: (a, b) =>
    a.rip === b.rip &&
    a.cr0 === b.cr0 &&
    a.cr3 === b.cr3 &&
    a.cr4 === b.cr4 &&
    a.efer === b.efer &&
    a.stack === b.stack &&
    a.hostSaveArea === b.hostSaveArea,
  fields: {
    rip: { type: INTEGER, doc: "Of the VMRUN instruction.", read: ({ rip }) => rip },
    cr0: { type: INTEGER, doc: "CR0.", read: ({ cr0 }) => cr0 },
    cr3: { type: INTEGER, doc: "CR3.", read: ({ cr3 }) => cr3 },
    cr4: { type: INTEGER, doc: "CR4.", read: ({ cr4 }) => cr4 },
    efer: { type: INTEGER, doc: "EFER.", read: ({ efer }) => efer },
    rsp: { type: INTEGER, doc: "The stack's top as a linear address.", read: ({ stack }) => stack },
    save_area: {
      type: rangeOf("hpa"),
      doc: "The page that VM_HSAVE_PA names.",
      section: "15.30.4",
      read: ({ hostSaveArea }) => span("hpa", BigInt(hostSaveArea), 4096n),
    },
  },
});

function msrRows(): Rows<Machine> {
  return Object.fromEntries(
    MSRS.map((msr): [string, FieldRow<Machine>] => [
      msr.name,
      {
        type: INTEGER,
        doc: `MSR 0x${msr.number.toString(16)}.`,
        section: "appendix A",
        read: ({ cpu }) => msr.read(cpu),
      },
    ]),
  );
}

export const MSR_VALUES = defineRecord<Machine>("Msrs", {
  doc: "The CPU's model-specific registers by name.",
  isLive: true,
  fields: msrRows(),
});
