/** The guest's instruction at an exit, read as the guest's own translation has it. */
import { DebugMemory, LONGEST_INSTRUCTION, type Machine } from "../../emulator/index.ts";
import { codeBits, copiedRegisters, linearOf } from "../register-file.ts";
import type { Disassembler } from "../services.ts";
import type { ExitRecord } from "./exit-log.ts";
import { guestPaging } from "./nested-walk.ts";
import type { VmcbCopy } from "./vmcb-history.ts";

export interface GuestInstruction {
  readonly linear: bigint;
  /** In the disassembler's words; undefined where its bytes cannot be had. */
  readonly text: string | undefined;
  readonly next: bigint | undefined;
}

/** `vmcb` is as the exit left it. */
export function guestInstruction(
  machine: Machine,
  disassembler: Disassembler,
  exit: ExitRecord,
  vmcb: VmcbCopy,
): GuestInstruction {
  const registers = copiedRegisters(vmcb);
  const linear = linearOf(registers, exit.guestRip);
  const [decoded] = disassembler.decode(
    instructionBytes(machine, linear, vmcb),
    exit.guestRip,
    codeBits(registers),
    1,
  );
  if (decoded === undefined || !decoded.isValid)
    return { linear, text: undefined, next: undefined };
  return { linear, text: decoded.text, next: exit.guestRip + BigInt(decoded.length) };
}

/** From memory; where the guest's code cannot be reached, those that the exit fetched. */
function instructionBytes(machine: Machine, linear: bigint, vmcb: VmcbCopy): Uint8Array {
  const { paging, nested } = guestPaging(machine, vmcb);
  const guest = nested === undefined ? { paging } : { paging, nested };
  const memory = new DebugMemory(machine.memory);
  const bytes = memory.peek({ kind: "gva" }, linear, LONGEST_INSTRUCTION, { host: paging, guest });
  if (bytes.length > 0) return bytes;
  const count = vmcb.read("NUMBER_OF_BYTES_FETCHED");
  return vmcb.read("GUEST_INSTRUCTION_BYTES").subarray(0, count);
}
