/** IN, OUT, INS and OUTS. */
import type { Execution } from "../execution.ts";
import { flagMask, getIopl } from "../state/flags.ts";
import { interceptIo } from "../svm/io-intercept.ts";
import { GuestFault } from "../system/exceptions.ts";
import type { IoAccess } from "../system/io-access.ts";
import { isProtected, isVirtual8086 } from "../system/mode.ts";
import { checkAccess } from "../system/segment-access.ts";
import { ioPermitted } from "../system/tss.ts";
import { complexRow, type Row } from "./row.ts";

type PortSize = 1 | 2 | 4;

/** CPL above IOPL, and virtual-8086 mode, need the TSS's permission (APM volume 2, section 12.2.4). */
function checkPermission(x: Execution, port: number, size: PortSize): void {
  const { state } = x.cpu;
  if (!isProtected(state)) return;
  if (state.cpl <= getIopl(state) && !isVirtual8086(state)) return;
  if (!ioPermitted(x.cpu, port, size)) throw new GuestFault("GP", 0);
}

/** Permission, then the IOIO intercept. */
function begin(x: Execution, access: IoAccess): void {
  checkPermission(x, access.port, access.size);
  interceptIo(x, access);
}

/** Width of the port operand: doublewords for an operand size of 64 too. */
const wordSize = (x: Execution): PortSize => (x.operandSize === 2 ? 2 : 4);

const plain = (x: Execution, port: number, size: PortSize, isIn: boolean): IoAccess => ({
  port,
  size,
  in: isIn,
  string: false,
  rep: false,
  addressSize: x.addressSize,
  segment: "ds",
});

const immediatePort = (x: Execution): number => Number(x.read(0) & 0xffn);
const dxPort = (x: Execution): number => Number(x.cpu.state.rdx & 0xffffn);

function input(port: (x: Execution) => number, bytes: boolean) {
  return (x: Execution): void => {
    const access = plain(x, port(x), bytes ? 1 : wordSize(x), true);
    begin(x, access);
    x.setRegister("rax", access.size, BigInt(x.cpu.ports.read(access.port, access.size) >>> 0));
  };
}

function output(port: (x: Execution) => number, bytes: boolean) {
  return (x: Execution): void => {
    const access = plain(x, port(x), bytes ? 1 : wordSize(x), false);
    begin(x, access);
    const value = Number(x.getRegister("rax", access.size));
    x.cpu.ports.write(access.port, access.size, value);
  };
}

/** One iteration with its count: `body` may fault, and nothing has changed then. */
function iterate(x: Execution, body: () => void): void {
  if (x.repeatPrefix === "none") {
    body();
    return;
  }
  const count = x.getRegister("rcx", x.addressSize);
  if (count === 0n) return;
  body();
  x.setRegister("rcx", x.addressSize, count - 1n);
  if (count !== 1n) x.repeat();
}

function advance(x: Execution, name: "rsi" | "rdi", size: PortSize): void {
  const backwards = (x.cpu.state.flagsOther & flagMask("DF")) !== 0n;
  const step = BigInt(backwards ? -size : size);
  const next = BigInt.asUintN(x.addressSize * 8, x.getRegister(name, x.addressSize) + step);
  x.setRegister(name, x.addressSize, next);
}

function stringAccess(x: Execution, size: PortSize, isIn: boolean): IoAccess {
  return {
    port: dxPort(x),
    size,
    in: isIn,
    string: true,
    rep: x.repeatPrefix !== "none",
    addressSize: x.addressSize,
    segment: isIn ? "es" : x.operandSegment,
  };
}

/** The destination is checked before the port is read, for a read may have side effects. */
function inputString(bytes: boolean) {
  return (x: Execution): void =>
    iterate(x, () => {
      const { cpu } = x;
      const size = bytes ? 1 : wordSize(x);
      const access = stringAccess(x, size, true);
      begin(x, access);
      const offset = x.getRegister("rdi", x.addressSize);
      cpu.mmu.probeWrite(checkAccess(cpu.state, "es", offset, size, true), size);
      x.store("es", offset, size, BigInt(cpu.ports.read(access.port, size) >>> 0));
      advance(x, "rdi", size);
    });
}

function outputString(bytes: boolean) {
  return (x: Execution): void =>
    iterate(x, () => {
      const size = bytes ? 1 : wordSize(x);
      const access = stringAccess(x, size, false);
      begin(x, access);
      const value = x.load("operand", x.getRegister("rsi", x.addressSize), size);
      x.cpu.ports.write(access.port, size, Number(value));
      advance(x, "rsi", size);
    });
}

export const PORT_ROWS: readonly Row[] = [
  complexRow("IN", "E4", "Ib", {}, input(immediatePort, true)),
  complexRow("IN", "E5", "Ib", {}, input(immediatePort, false)),
  complexRow("IN", "EC", "", {}, input(dxPort, true)),
  complexRow("IN", "ED", "", {}, input(dxPort, false)),
  complexRow("OUT", "E6", "Ib", {}, output(immediatePort, true)),
  complexRow("OUT", "E7", "Ib", {}, output(immediatePort, false)),
  complexRow("OUT", "EE", "", {}, output(dxPort, true)),
  complexRow("OUT", "EF", "", {}, output(dxPort, false)),
  complexRow("INSB", "6C", "", { repeat: true }, inputString(true)),
  complexRow("INS", "6D", "", { repeat: true }, inputString(false)),
  complexRow("OUTSB", "6E", "", { repeat: true }, outputString(true)),
  complexRow("OUTS", "6F", "", { repeat: true }, outputString(false)),
];
