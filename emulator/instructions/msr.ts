/** RDMSR, WRMSR, RDTSC, RDTSCP and RDPMC. */
import type { Execution } from "../execution.ts";
import type { CpuState } from "../state/cpu-state.ts";
import { interceptMsr } from "../svm/msr-intercept.ts";
import { GuestFault } from "../system/exceptions.ts";
import { CR4 } from "../system/mode.ts";
import { readMsr, writeMsr } from "../system/msrs.ts";
import { readTsc } from "../system/time-stamp.ts";
import { complexRow, type Row } from "./row.ts";

/** EDX:EAX, with the upper halves of the registers cleared. */
function setPair(x: Execution, value: bigint): void {
  x.setRegister("rax", 4, value & 0xffff_ffffn);
  x.setRegister("rdx", 4, value >> 32n);
}

function tell({ cpu }: Execution, index: number, write: boolean, value: bigint): void {
  if (!cpu.observers.wants("msr")) return;
  cpu.observers.emit("msr", { index, write, value, guest: cpu.state.guestMode !== 0 });
}

function read(x: Execution): void {
  const number = Number(x.getRegister("rcx", 4));
  interceptMsr(x, number, false);
  const value = readMsr(x.cpu, number);
  setPair(x, value);
  tell(x, number, false, value);
}

function write(x: Execution): void {
  const number = Number(x.getRegister("rcx", 4));
  interceptMsr(x, number, true);
  const value = x.getRegister("rax", 4) | (x.getRegister("rdx", 4) << 32n);
  writeMsr(x.cpu, number, value);
  tell(x, number, true, value);
}

/** CR4.TSD keeps the time stamp from CPL above 0. */
function checkTimeStamp(state: CpuState): void {
  if ((state.cr4 & CR4.TSD) !== 0n && state.cpl > 0) throw new GuestFault("GP", 0);
}

function checkPerformance(state: CpuState): void {
  if ((state.cr4 & CR4.PCE) === 0n && state.cpl > 0) throw new GuestFault("GP", 0);
}

function timeStampAndProcessor(x: Execution): void {
  setPair(x, readTsc(x.cpu));
  x.setRegister("rcx", 4, x.cpu.state.tscAux & 0xffff_ffffn);
}

/** There are no performance counters: every number in ECX is one too high. */
function performanceCounter(): never {
  throw new GuestFault("GP", 0);
}

export const MSR_ROWS: readonly Row[] = [
  // The permission map decides about these two: the intercept is looked at in the semantics.
  complexRow("RDMSR", "0F 32", "", { cpl0: true }, read),
  complexRow("WRMSR", "0F 30", "", { cpl0: true }, write),
  complexRow(
    "RDTSC",
    "0F 31",
    "",
    { exceptions: checkTimeStamp, intercept: "RDTSC", interceptOrder: "afterExceptions" },
    (x) => setPair(x, readTsc(x.cpu)),
  ),
  complexRow(
    "RDTSCP",
    "0F 01 F9",
    "",
    {
      feature: "RDTSCP",
      exceptions: checkTimeStamp,
      intercept: "RDTSCP",
      interceptOrder: "afterExceptions",
    },
    timeStampAndProcessor,
  ),
  complexRow(
    "RDPMC",
    "0F 33",
    "",
    { exceptions: checkPerformance, intercept: "RDPMC", interceptOrder: "afterExceptions" },
    performanceCounter,
  ),
];
