/** The registers of a frame that called or was interrupted: what the frames inside of it kept. */
import { GENERAL_REGISTERS } from "../../emulator/index.ts";
import { toBytes } from "../../symbols/location.ts";
import type { RegisterFile } from "../register-file.ts";
import type { MachineFrame } from "./machine-frame.ts";

const GENERAL: ReadonlySet<string> = new Set(GENERAL_REGISTERS);
const NEVER_KEPT = /^(xmm|ymm|st|mm)\d+$/;

/** Registers of one frame; those that every frame shares (control, segments) are the CPU's. */
export function frameRegisters(
  frame: MachineFrame,
  innermost: RegisterFile,
  write: (address: bigint, bytes: Uint8Array) => boolean,
): RegisterFile {
  return {
    get(name) {
      if (name === "rip") return BigInt.asUintN(64, frame.pc - frame.code.base);
      if (GENERAL.has(name) || name === "rflags") return frame.get(name);
      return NEVER_KEPT.test(name) ? undefined : innermost.get(name);
    },
    set(name, value) {
      const kept = GENERAL.has(name) ? frame.keptAt?.(name) : undefined;
      if (kept === undefined) return false;
      if (kept === "live") return innermost.set(name, value);
      return write(kept, toBytes(value, frame.code.bits / 8));
    },
    segment(name) {
      const segment = innermost.segment(name);
      if (name !== "cs" || segment?.selector === frame.code.selector) return segment;
      return segment && { ...segment, selector: frame.code.selector, base: frame.code.base };
    },
  };
}
