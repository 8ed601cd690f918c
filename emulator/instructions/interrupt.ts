/** INT3, INT n, INTO, ICEBP, BOUND, UD1, UD2 and HLT. */
import type { Execution } from "../execution.ts";
import { ExitRequest } from "../state/cpu-state.ts";
import { getFlag, getIopl } from "../state/flags.ts";
import { type DeliveryOptions, deliverException } from "../system/delivery.ts";
import { EXCEPTIONS, GuestFault } from "../system/exceptions.ts";
import { isVirtual8086 } from "../system/mode.ts";
import { complexRow, type Row } from "./row.ts";

/** Delivers on behalf of this instruction, which has not completed if its handler was not reached. */
function deliver(x: Execution, vector: number, options: DeliveryOptions): void {
  const { cpu } = x;
  if (!deliverException(cpu, vector, { ...options, insnLength: x.length })) {
    cpu.state.exitRequest |= ExitRequest.aborted;
  }
  x.setNextRip(cpu.state.rip);
}

/** INT3, INTO and ICEBP are exceptions: their vectors can be intercepted as such. */
function raise(x: Execution, name: "BP" | "OF" | "DB", checkGate: boolean): void {
  const { vector } = EXCEPTIONS[name];
  x.cpu.hooks.interceptException(vector, undefined, 0n);
  deliver(x, vector, { checkGate });
}

function softwareInterrupt(x: Execution): void {
  const { state } = x.cpu;
  if (isVirtual8086(state) && getIopl(state) < 3) throw new GuestFault("GP", 0);
  deliver(x, Number(x.read(0) & 0xffn), { type: "software" });
}

function overflow(x: Execution): void {
  if (getFlag(x.cpu.state, "OF")) raise(x, "OF", true);
}

function bound(x: Execution): void {
  const size = x.operandSize === 2 ? 2 : 4;
  const signed = (value: bigint): bigint => BigInt.asIntN(size * 8, value);
  const index = signed(x.read(0));
  const lower = signed(x.loadOperand(1, 0, size));
  const upper = signed(x.loadOperand(1, size, size));
  if (index < lower || index > upper) throw new GuestFault("BR");
}

/** HLT retires; then the machine sees that the CPU waits. */
function halt(x: Execution): void {
  x.cpu.state.halted = 1;
  x.cpu.recheckInterrupts();
}

export const undefinedOpcode = (): never => {
  throw new GuestFault("UD");
};

export const INTERRUPT_ROWS: readonly Row[] = [
  complexRow("INT3", "CC", "", {}, (x) => raise(x, "BP", true)),
  complexRow(
    "INT",
    "CD",
    "Ib",
    { intercept: "INTn", interceptOrder: "interceptFirst" },
    softwareInterrupt,
  ),
  complexRow("INTO", "CE", "", { not64: true }, overflow),
  complexRow("ICEBP", "F1", "", { intercept: "ICEBP", interceptOrder: "interceptFirst" }, (x) =>
    raise(x, "DB", false),
  ),
  complexRow("BOUND", "62 /r", "Gv,M", { not64: true }, bound),
  complexRow("UD2", "0F 0B", "", {}, undefinedOpcode),
  complexRow("UD1", "0F B9 /r", "Gv,Ev", {}, undefinedOpcode),
  complexRow(
    "HLT",
    "F4",
    "",
    { cpl0: true, intercept: "HLT", interceptOrder: "afterExceptions" },
    halt,
  ),
];
