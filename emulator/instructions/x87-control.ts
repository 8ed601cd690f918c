/** x87 rows that control the unit: words, environment, whole state, and the stack pointer. */

import type { Execution } from "../execution.ts";
import {
  type EnvironmentFormat,
  environmentBytes,
  initialise,
  readEnvironment,
  readRegisters,
  saveBytes,
  writeEnvironment,
  writeRegisters,
} from "../fpu/image.ts";
import { legalControl, RegisterStack, Status, updateSummary } from "../fpu/register-stack.ts";
import { GuestFault } from "../system/exceptions.ts";
import { CR0, hasRealSegments } from "../system/mode.ts";
import { type ComplexSemantics, complexRow, type Row, type RowOptions } from "./row.ts";
import { loadImage, storeImage } from "./x87-image.ts";
import { X87, X87_NO_WAIT } from "./x87-unit.ts";

const nothing: ComplexSemantics = () => {};

function formatOf(x: Execution): EnvironmentFormat {
  return { wide: x.operandSize !== 2, real: hasRealSegments(x.cpu.state) };
}

/** FNSTENV masks all exceptions once the environment is stored. */
function storeEnvironment(x: Execution): void {
  const format = formatOf(x);
  const view = new DataView(new ArrayBuffer(environmentBytes(format)));
  writeEnvironment(x.cpu.state, format, view);
  storeImage(x, 0, view);
  x.cpu.state.fcw |= 0x3f;
  updateSummary(x.cpu.state);
}

function loadEnvironment(x: Execution): void {
  const format = formatOf(x);
  readEnvironment(x.cpu.state, format, loadImage(x, 0, environmentBytes(format)));
}

function save(x: Execution): void {
  const format = formatOf(x);
  const view = new DataView(new ArrayBuffer(saveBytes(format)));
  writeEnvironment(x.cpu.state, format, view);
  writeRegisters(x.cpu.state, view, environmentBytes(format), 10);
  storeImage(x, 0, view);
  initialise(x.cpu.state);
}

/** The environment is read again after the registers, whose contents decide the tags. */
function restore(x: Execution): void {
  const format = formatOf(x);
  const view = loadImage(x, 0, saveBytes(format));
  readEnvironment(x.cpu.state, format, view);
  readRegisters(x.cpu.state, view, environmentBytes(format), 10);
  readEnvironment(x.cpu.state, format, view);
}

function clearExceptions(x: Execution): void {
  const { state } = x.cpu;
  state.fsw &= ~(0x3f | Status.stackFault | Status.summary | Status.busy);
}

function loadControl(x: Execution): void {
  x.cpu.state.fcw = legalControl(Number(x.read(0)));
  updateSummary(x.cpu.state);
}

const moveTop =
  (by: 1 | -1): ComplexSemantics =>
  (x) => {
    new RegisterStack(x.cpu.state).top += by;
    x.cpu.state.fsw &= ~Status.c1;
  };

/**
 * WAIT has its own rule: #NM only with both CR0.MP and CR0.TS. With CR0.NE clear a PC would raise
 * IRQ 13 through FERR#; the exception is delivered as #MF all the same.
 */
function wait(x: Execution): void {
  const { state } = x.cpu;
  const both = CR0.MP | CR0.TS;
  if ((state.cr0 & both) === both) throw new GuestFault("NM");
  if ((state.fsw & Status.summary) !== 0) throw new GuestFault("MF");
}

const plain: RowOptions = { feature: "X87" };

export const X87_CONTROL_ROWS: readonly Row[] = [
  complexRow("WAIT", "9B", "", plain, wait),
  complexRow("FLDENV", "D9 /4", "M", X87, loadEnvironment),
  complexRow("FLDCW", "D9 /5", "Mw", X87, loadControl),
  complexRow("FNSTENV", "D9 /6", "M", X87_NO_WAIT, storeEnvironment),
  complexRow("FNSTCW", "D9 /7", "Mw", X87_NO_WAIT, (x) => x.write(0, BigInt(x.cpu.state.fcw))),
  complexRow("FRSTOR", "DD /4", "M", X87, restore),
  complexRow("FNSAVE", "DD /6", "M", X87_NO_WAIT, save),
  complexRow("FNSTSW", "DD /7", "Mw", X87_NO_WAIT, (x) => x.write(0, BigInt(x.cpu.state.fsw))),
  complexRow("FNSTSW", "DF E0", "AX", X87_NO_WAIT, (x) => x.write(0, BigInt(x.cpu.state.fsw))),
  complexRow("FNCLEX", "DB E2", "", X87_NO_WAIT, clearExceptions),
  complexRow("FNINIT", "DB E3", "", X87_NO_WAIT, (x) => initialise(x.cpu.state)),
  // The 8087's interrupt and the 80287's mode switches are ignored since.
  complexRow("FNENI", "DB E0", "", X87_NO_WAIT, nothing),
  complexRow("FNDISI", "DB E1", "", X87_NO_WAIT, nothing),
  complexRow("FNSETPM", "DB E4", "", X87_NO_WAIT, nothing),
  complexRow("FNOP", "D9 D0", "", X87, nothing),
  complexRow("FDECSTP", "D9 F6", "", X87, moveTop(-1)),
  complexRow("FINCSTP", "D9 F7", "", X87, moveTop(1)),
  complexRow("FFREE", "DD C0 +i", "STi", X87, (x) => {
    new RegisterStack(x.cpu.state).free(x.registerNumber(0));
    x.cpu.state.fsw &= ~Status.c1;
  }),
  complexRow("FFREEP", "DF C0 +i", "STi", X87, (x) => {
    const stack = new RegisterStack(x.cpu.state);
    stack.free(x.registerNumber(0));
    stack.pop();
    x.cpu.state.fsw &= ~Status.c1;
  }),
];
