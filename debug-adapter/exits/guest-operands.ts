/** Addresses that a guest's instruction may have used, by its text and its registers. */

import { codeBits, copiedRegisters, registerByName } from "../register-file.ts";
import { parseInteger } from "../text.ts";
import type { ExitRecord } from "./exit-log.ts";
import type { VmcbCopy } from "./vmcb-history.ts";

/** AT&T's "%fs:-0x10(%rbx,%rcx,4)", or an absolute address. */
const OPERAND =
  /(?:%([c-gs]s):)?(-?(?:0x[0-9a-f]+|\d+))?\((?:%(\w+))?(?:,%(\w+)(?:,(\d))?)?\)|(?:%([c-gs]s):)?(?<![$\w(])(0x[0-9a-f]+)(?!\()/g;
const STACK_BASE = /^[er]?[bs]p$/;

/**
 * Linear addresses of the memory operands and around the stack pointer. They are guesses: whoever
 * uses one must see that it leads where the exit says.
 */
export function operandAddresses(
  text: string,
  exit: Pick<ExitRecord, "registers">,
  vmcb: VmcbCopy,
): bigint[] {
  const saved = copiedRegisters(vmcb);
  const bits = codeBits(saved);
  const registers = {
    ...saved,
    get: (name: string) => saved.get(name) ?? exit.registers.get(name as "rax"),
  };
  const registerValue = (name: string | undefined): bigint =>
    name === undefined ? 0n : (registerByName(registers, name) ?? 0n);
  const linear = (segment: string, offset: bigint): bigint => {
    const isFlat = bits === 64 && segment !== "fs" && segment !== "gs";
    const base = isFlat ? 0n : (saved.segment(segment)?.base ?? 0n);
    const truncated = BigInt.asUintN(bits, offset);
    return BigInt.asUintN(bits === 64 ? 64 : 32, base + truncated);
  };
  const found = [...text.matchAll(OPERAND)].map((match) => {
    const [, override, displacement, base, index, scale = "1", absoluteOverride, absolute] = match;
    if (absolute !== undefined) return linear(absoluteOverride ?? "ds", BigInt(absolute));
    const offset = displacement === undefined ? 0n : (parseInteger(displacement) ?? 0n);
    const segment = override ?? (STACK_BASE.test(base ?? "") ? "ss" : "ds");
    return linear(segment, registerValue(base) + registerValue(index) * BigInt(scale) + offset);
  });
  const stack = exit.registers.get("rsp") ?? 0n;
  return [...found, ...[0n, 2n, 4n, 8n].map((bytes) => linear("ss", stack - bytes))];
}
