/** What generated code calls, and the locals that every compiled form has. */

import { I32, I64, type ModuleBuilder, type Signature } from "../wasm/encoder.ts";

/** Local indexes: address of the CPU state, address of the record, rip of the next instruction. */
export const CPU = 0;
export const RECORD_AT = 1;
export const NEXT = 2;

/** A compiled form as a function of (CPU, RECORD_AT, NEXT); returns NEXT. */
export const FORM_SIGNATURE: Signature = { parameters: [I32, I32, I64], results: [I64] };

/** Flag in the size of a slow access through SS: an address that is not canonical is #SS, not #GP. */
export const THROUGH_STACK = 0x100;

/** Imported functions: name to type. Functions that return i32 return 0 when they raised a fault. */
const IMPORTS = {
  /** (linear, size, perhaps with THROUGH_STACK) to a pointer to the bytes. */
  readSlow: { parameters: [I64, I32], results: [I32] },
  writeSlow: { parameters: [I64, I32], results: [I32] },
  modifySlow: { parameters: [I64, I32], results: [I32] },
  /** Carries out the write that is in the bounce buffer; 1 if it faulted. */
  commitWrite: { parameters: [], results: [I32] },
  /** (segment number, offset, size, write): the full check; 1 if it faulted. */
  checkSegment: { parameters: [I32, I64, I32, I32], results: [I32] },
  /** (vector, error code). */
  raise: { parameters: [I32, I32], results: [] },
  /** (record): the row's checks; 1 if one did not pass. */
  check: { parameters: [I32], results: [I32] },
  /** Makes the current instruction the last of the slice. */
  endSlice: { parameters: [], results: [] },
  /** (record): runs a form in TypeScript; sets nextRip or exitRequest. */
  complex: { parameters: [I32], results: [] },
  /** Finds the page of rip: sets the fetch window; 0 if it faulted. */
  fetchWindow: { parameters: [], results: [I32] },
  /** Decodes at rip: the record's address; 0 if it faulted. */
  decode: { parameters: [], results: [I32] },
  /** (record): a breakpoint's record; 1 to stop before the instruction. */
  breakpoint: { parameters: [I32], results: [I32] },
} as const satisfies Record<string, Signature>;

export type ImportName = keyof typeof IMPORTS;
/** Function index of each import in a module. */
export type Runtime = { readonly [N in ImportName]: number };

/**
 * The imports of a module, each declared when its index is first asked for: V8 compiles a wrapper for
 * every import of an instance, which costs more than most forms themselves.
 */
export function importRuntime(module: ModuleBuilder): Runtime {
  const indexes = new Map<ImportName, number>();
  const indexOf = (name: ImportName): number => {
    const known = indexes.get(name);
    if (known !== undefined) return known;
    const index = module.importFunction(name, IMPORTS[name]);
    indexes.set(name, index);
    return index;
  };
  const names = Object.keys(IMPORTS) as ImportName[];
  const getters = names.map((name) => [name, { get: () => indexOf(name) }] as const);
  return Object.defineProperties({}, Object.fromEntries(getters)) as Runtime;
}
