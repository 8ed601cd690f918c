/**
 * Callers of a kernel's retpolines, about which its unwind tables say nothing or the wrong thing. A
 * retpoline calls into itself, puts the target of the jump over the return address that this left, and
 * returns to it: its own caller's return address is one word further up (arch/x86/lib/retpoline.S).
 */
import { type FrameState, fromBytes } from "../location.ts";
import { REGISTERS } from "../registers.ts";
import type { Unwound } from "../unwind.ts";
import type { SymbolList } from "./symbol-list.ts";

const THUNK = /^__x86_indirect_/;
const { returnAddress, stackPointer } = REGISTERS.x86_64;
const WORD = 8n;

/** The caller of the frame at `pc`, a link address; undefined where that is in no thunk. */
export function callerOfThunk(
  symbols: SymbolList,
  pc: bigint,
  state: FrameState,
): Unwound | undefined {
  if (!isThunk(symbols, pc)) return undefined;
  const stack = state.register(stackPointer);
  const word = stack === undefined ? undefined : load(stack, state);
  if (stack === undefined || word === undefined) return unavailable("its stack cannot be read");
  const isOwn = isOwnWord(symbols, word - (state.slide ?? 0n));
  const caller = isOwn ? load(stack + WORD, state) : word;
  if (caller === undefined) return unavailable("its return address cannot be read");
  const cfa = stack + (isOwn ? 2n : 1n) * WORD;
  const register = (number: number) => {
    if (number === returnAddress) return caller;
    return number === stackPointer ? cfa : state.register(number);
  };
  const readMemory: FrameState["readMemory"] = (at, length) => state.readMemory(at, length);
  const isSignalFrame = false;
  return { kind: "caller", pc: caller, cfa, isSignalFrame, state: { register, readMemory } };
}

function load(address: bigint, state: FrameState): bigint | undefined {
  const bytes = state.readMemory(address, Number(WORD));
  return bytes && fromBytes(bytes);
}

function isThunk(symbols: SymbolList, address: bigint): boolean {
  return THUNK.test(symbols.at(address)?.symbol.name ?? "");
}

/** The return address of the thunk's inner call, or the start of the function that it jumps to. */
function isOwnWord(symbols: SymbolList, address: bigint): boolean {
  return isThunk(symbols, address) || symbols.at(address)?.offset === 0n;
}

const unavailable = (reason: string): Unwound => ({ kind: "unavailable", reason });
