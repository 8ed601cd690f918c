/** Faults during delivery: double fault, shutdown, and what SVM is told (APM volume 2, section 8.2.9). */
import { describe, expect, it } from "vitest";
import { deliverException, raiseFault } from "../../../emulator/system/delivery.ts";
import { combine, type DeliveredEvent, eventOfFault } from "../../../emulator/system/event.ts";
import {
  EXCEPTIONS,
  type ExceptionName,
  GuestFault,
  InterceptExit,
} from "../../../emulator/system/exceptions.ts";
import type { Vcpu } from "../../../emulator/vcpu.ts";
import { context } from "./bare-machine.ts";
import { HANDLER, IDT, machineIn } from "./descriptor-tables.ts";

const event = (name: ExceptionName): DeliveredEvent => eventOfFault(new GuestFault(name));

/** Table 8-8: rows are the first exception's class, columns the second's. */
const TABLE = {
  benign: { benign: "second", contributory: "second", pageFault: "second" },
  contributory: { benign: "second", contributory: "DF", pageFault: "second" },
  pageFault: { benign: "second", contributory: "DF", pageFault: "DF" },
  doubleFault: { benign: "second", contributory: "shutdown", pageFault: "shutdown" },
} as const;

describe("two exceptions", () => {
  const names = Object.keys(EXCEPTIONS) as ExceptionName[];
  it.each(names)("#%s first, then each", (first) => {
    for (const second of names.filter((n) => n !== "DF")) {
      const row = TABLE[EXCEPTIONS[first].class];
      const wanted = row[EXCEPTIONS[second].class as keyof typeof row];
      const expected = wanted === "shutdown" ? wanted : event(wanted === "DF" ? "DF" : second);
      expect(combine(event(first), event(second)), `#${first}, #${second}`).toEqual(expected);
    }
  });

  it("an interrupt counts as benign, whatever its vector", () => {
    const interrupt = { ...event("GP"), type: "INTR" } as const;
    expect(combine(interrupt, event("GP"))).toEqual(event("GP"));
  });
});

/** Makes the gate of a vector absent. */
function removeGate(machine: ReturnType<typeof machineIn>, vector: number): void {
  machine.write(IDT + vector * 16 + 5, 1, 0x0e);
}

describe("delivery", () => {
  it("turns two contributory faults into #DF with error code 0", () => {
    const machine = machineIn("long", 3);
    removeGate(machine, EXCEPTIONS.GP.vector);
    raiseFault(machine.cpu, new GuestFault("GP", 0x18));
    expect(machine.state.rip).toBe(HANDLER + 8n * 16n);
    expect(machine.read(Number(machine.state.rsp), 8)).toBe(0n);
  });

  it("shuts down when no stack is there for the double fault either", () => {
    const machine = machineIn("long", 0);
    machine.absent.add(3);
    machine.state.rsp = 0x4000n;
    raiseFault(machine.cpu, new GuestFault("GP", 0));
    expect(machine.state.shutdown).toBe(1);
    expect(machine.state.cr2).toBe(0x3ff8n);
  });

  it("serves a page fault inside a contributory one", () => {
    const machine = machineIn("long", 3);
    // The gate of #PF is the first of a page, and the page before, with that of #NP, is absent.
    machine.write(0x9000, 8, machine.read(IDT + 14 * 16, 8));
    machine.state.idtr.base = 0x9000n - 14n * 16n;
    machine.absent.add(8);
    raiseFault(machine.cpu, new GuestFault("NP", 0x18));
    expect(machine.state.rip).toBe(HANDLER + 14n * 16n);
  });

  it("keeps the chain of faults as text", () => {
    const machine = machineIn("long", 0);
    machine.state.idtr.limit = 0;
    raiseFault(machine.cpu, new GuestFault("PF", 2, 0xabcn));
    expect(machine.stops).toEqual([
      {
        kind: "shutdown",
        faults: [
          "#PF(0x2) cr2=0xabc at rip=0x4000",
          "#GP(0x73) at rip=0x4000",
          "#DF(0x0) at rip=0x4000",
          "#GP(0x43) at rip=0x4000",
        ],
      },
    ]);
  });

  it("sets EXT in faults of interrupts and not in those of INT n", () => {
    const faults: string[] = [];
    for (const type of ["INTR", "software"] as const) {
      const machine = machineIn("long", 0);
      removeGate(machine, 0x21);
      deliverException(machine.cpu, 0x21, { type });
      faults.push(machine.read(Number(machine.state.rsp), 8).toString(16));
    }
    expect(faults).toEqual([(0x21 * 8 + 3).toString(16), (0x21 * 8 + 2).toString(16)]);
  });
});

describe("SVM's hooks", () => {
  it("see the event that an exit interrupts, and the state unchanged", () => {
    const machine = machineIn("long", 3);
    let delivered: DeliveredEvent | undefined;
    const cpu: Vcpu = {
      ...machine.cpu,
      hooks: {
        interceptException: (vector) => {
          if (vector === EXCEPTIONS.PF.vector) throw new InterceptExit(0x4e);
        },
        interceptShutdown: () => {},
        noteDelivery: (noted) => {
          delivered = noted;
        },
      },
    };
    machine.absent.add(4);
    const before = context(machine.state);
    expect(() => deliverException(cpu, 0x21, { type: "INTR" })).toThrow(InterceptExit);
    expect(delivered).toMatchObject({ type: "INTR", vector: 0x21, errorCode: undefined });
    expect(context(machine.state)).toEqual(before);
    expect(machine.state.cr2).toBe(0n);
  });

  it("can keep the CPU from shutting down", () => {
    const machine = machineIn("long", 0);
    machine.state.idtr.limit = 0;
    const hooks = {
      ...machine.cpu.hooks,
      interceptShutdown: () => {
        throw new InterceptExit(0x7f);
      },
    };
    const cpu: Vcpu = { ...machine.cpu, hooks };
    expect(() => raiseFault(cpu, new GuestFault("UD"))).toThrow(InterceptExit);
    expect(machine.state.shutdown).toBe(0);
    expect(machine.stops).toEqual([]);
  });
});
