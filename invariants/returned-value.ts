/** What a function returned, by the calling conventions of x86-64 and i386 (System V ABI, sections 3.2.3 and 2.2.3). */
import type { CpuState } from "../emulator/index.ts";
import { sizeOf, stripped, type Type } from "../symbols/types.ts";
import { type Result, Unknown } from "./evaluate/value.ts";

/** Bytes of the address by which the caller of a function of i386 says where a struct goes: the callee pops it. */
export const PLACE_BYTES = 4n;

/** Right behind the return. `popped` is what the callee took off the stack beside its return address. */
export function returnedValue(type: Type | undefined, state: CpuState, popped: bigint): Result {
  if (type === undefined) return new Unknown("what the function returns is not known");
  const { kind } = stripped(type);
  const isScalar = kind === "base" || kind === "pointer" || kind === "enum";
  const isRecord = kind === "struct" || kind === "union";
  const size = sizeOf(type);
  if (size === undefined || !(isScalar || isRecord)) return new Unknown("it returns no object");
  if (hasFloat(type)) return new Unknown("the result is in a register of the FPU or of SSE");
  if (isRecord && (popped > 0n || size > 16)) return { kind: "c", type, address: state.rax };
  const bytes = new Uint8Array(16);
  const words = new DataView(bytes.buffer);
  // A host of 32 bits gives the upper half of 64 in EDX.
  const isNarrow = (state.efer & EFER_LMA) === 0n;
  words.setBigUint64(0, state.rax, true);
  if (isNarrow) words.setUint32(4, Number(BigInt.asUintN(32, state.rdx)), true);
  else words.setBigUint64(8, state.rdx, true);
  return { kind: "c", type, address: undefined, bytes: bytes.subarray(0, size) };
}

const EFER_LMA = 1n << 10n;

function hasFloat(type: Type): boolean {
  const c = stripped(type);
  if (c.kind === "base") return c.base === "float";
  if (c.kind === "array") return hasFloat(c.element);
  if (c.kind !== "struct" && c.kind !== "union") return false;
  return c.members.some((member) => hasFloat(member.type));
}
