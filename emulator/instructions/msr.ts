/** RDMSR, WRMSR, RDTSC, RDTSCP and RDPMC. */
import type { Execution } from "../execution.ts";
import type { CpuState } from "../state/cpu-state.ts";
import { interceptMsr } from "../svm/msr-intercept.ts";
import { GuestFault } from "../system/exceptions.ts";
import { CR4 } from "../system/mode.ts";
import { msrValue, readMsr, writeMsr } from "../system/msrs.ts";
import type { Context } from "./context.ts";
import { complexRow, type Row, row } from "./row.ts";

/** EDX:EAX, with the upper halves of the registers cleared. */
function setPair<V, B, X>(c: Context<V, B, X>, value: V): void {
  c.setRegister("rax", 4, value);
  c.setRegister("rdx", 4, c.shiftRight(value, c.constant(32)));
}

const isGuest = ({ cpu }: Execution): boolean => cpu.state.guestMode !== 0;

function read(x: Execution): void {
  const number = Number(x.getRegister("rcx", 4));
  interceptMsr(x, number, false);
  const value = readMsr(x.cpu, number);
  setPair(x, value);
  const event = { index: number, write: false, value, before: value, guest: isGuest(x) };
  x.cpu.observers.emit("msr", event);
}

function write(x: Execution): void {
  const number = Number(x.getRegister("rcx", 4));
  interceptMsr(x, number, true);
  const value = x.getRegister("rax", 4) | (x.getRegister("rdx", 4) << 32n);
  const { observers } = x.cpu;
  const before = observers.wants("msr") ? msrValue(x.cpu, number) : undefined;
  writeMsr(x.cpu, number, value);
  observers.emit("msr", { index: number, write: true, value, before, guest: isGuest(x) });
}

function checkTimeStamp({ cr4 }: CpuState): void {
  if ((cr4 & CR4.TSD) !== 0n) throw new GuestFault("GP", 0);
}

function checkPerformance({ cr4 }: CpuState): void {
  if ((cr4 & CR4.PCE) === 0n) throw new GuestFault("GP", 0);
}

/** There are no performance counters: every number in ECX is one too high. */
function performanceCounter(): never {
  throw new GuestFault("GP", 0);
}

export const MSR_ROWS: readonly Row[] = [
  // The permission map decides about these two: the intercept is looked at in the semantics.
  complexRow("RDMSR", "0F 32", "", { cpl0: true }, read),
  complexRow("WRMSR", "0F 30", "", { cpl0: true }, write),
  row(
    "RDTSC",
    "0F 31",
    "",
    { userExceptions: checkTimeStamp, intercept: "RDTSC", interceptOrder: "afterExceptions" },
    (c) => setPair(c, c.timeStamp()),
  ),
  row(
    "RDTSCP",
    "0F 01 F9",
    "",
    {
      feature: "RDTSCP",
      userExceptions: checkTimeStamp,
      intercept: "RDTSCP",
      interceptOrder: "afterExceptions",
    },
    (c) => {
      setPair(c, c.timeStamp());
      c.setRegister("rcx", 4, c.timeStampAuxiliary());
    },
  ),
  complexRow(
    "RDPMC",
    "0F 33",
    "",
    { userExceptions: checkPerformance, intercept: "RDPMC", interceptOrder: "afterExceptions" },
    performanceCounter,
  ),
];
