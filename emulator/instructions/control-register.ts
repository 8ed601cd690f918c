/** MOV to and from control and debug registers, LMSW, SMSW and CLTS. */
import type { Execution } from "../execution.ts";
import { interceptCrDr } from "../svm/cr-intercept.ts";
import { readCr8, writeCr0, writeCr3, writeCr4, writeCr8 } from "../system/control-registers.ts";
import { debugRegister, writeDebugRegister } from "../system/debug-registers.ts";
import { GuestFault } from "../system/exceptions.ts";
import { CR0 } from "../system/mode.ts";
import { complexRow, type Row, type RowOptions } from "./row.ts";

function checkControlNumber(number: number): void {
  if (![0, 2, 3, 4, 8].includes(number)) throw new GuestFault("UD");
}

function readControl(x: Execution): void {
  const { cpu } = x;
  const number = x.registerNumber(1);
  checkControlNumber(number);
  interceptCrDr(x, "CR", number, false, x.registerNumber(0));
  const { cr0, cr2, cr3, cr4 } = cpu.state;
  const values: Record<number, bigint> = { 0: cr0, 2: cr2, 3: cr3, 4: cr4 };
  x.write(0, values[number] ?? readCr8(cpu));
}

function writeControl(x: Execution): void {
  const { cpu } = x;
  const number = x.registerNumber(0);
  checkControlNumber(number);
  interceptCrDr(x, "CR", number, true, x.registerNumber(1));
  const value = x.read(1);
  if (number === 0) writeCr0(cpu, value);
  else if (number === 2) cpu.state.cr2 = value;
  else if (number === 3) writeCr3(cpu, value);
  else if (number === 4) writeCr4(cpu, value);
  else writeCr8(cpu, value);
}

function readDebug(x: Execution): void {
  const name = debugRegister(x.cpu.state, x.registerNumber(1));
  interceptCrDr(x, "DR", x.registerNumber(1), false, x.registerNumber(0));
  x.write(0, x.cpu.state[name]);
}

function writeDebug(x: Execution): void {
  const name = debugRegister(x.cpu.state, x.registerNumber(0));
  interceptCrDr(x, "DR", x.registerNumber(0), true, x.registerNumber(1));
  writeDebugRegister(x.cpu.state, name, x.read(1));
  x.cpu.deriveMode();
}

/** LMSW changes PE, MP, EM and TS, and cannot clear PE. */
function loadMachineStatus(x: Execution): void {
  const { cr0 } = x.cpu.state;
  const value = x.read(0) & 0xfn;
  const next = (cr0 & ~0xen) | value;
  interceptCrDr(x, "CR", 0, true, undefined, next);
  writeCr0(x.cpu, next);
}

/** Memory gets one word of CR0, a register as much as it holds. */
function storeMachineStatus(x: Execution): void {
  interceptCrDr(x, "CR", 0, false, undefined);
  const { cr0 } = x.cpu.state;
  if (x.isMemory(0)) x.storeOperand(0, 0, 2, cr0);
  else x.write(0, cr0);
}

function clearTaskSwitched(x: Execution): void {
  const { cpu } = x;
  const next = cpu.state.cr0 & ~CR0.TS;
  interceptCrDr(x, "CR", 0, true, undefined, next);
  cpu.state.cr0 = next;
  cpu.deriveMode();
}

const SUPERVISOR: RowOptions = { cpl0: true };

export const CONTROL_REGISTER_ROWS: readonly Row[] = [
  complexRow("MOV", "0F 20 /r", "Ry,Cy", SUPERVISOR, readControl),
  complexRow("MOV", "0F 22 /r", "Cy,Ry", SUPERVISOR, writeControl),
  complexRow("MOV", "0F 21 /r", "Ry,Dy", SUPERVISOR, readDebug),
  complexRow("MOV", "0F 23 /r", "Dy,Ry", SUPERVISOR, writeDebug),
  complexRow("LMSW", "0F 01 /6", "Ew", SUPERVISOR, loadMachineStatus),
  complexRow("SMSW", "0F 01 /4", "Ev", {}, storeMachineStatus),
  complexRow("CLTS", "0F 06", "", SUPERVISOR, clearTaskSwitched),
];
