/** Which parts of a kernel's image are code, by the symbols of its linker script. */
import type { SymbolList } from "./symbol-list.ts";

/** A part of the image, in link addresses. */
export interface KernelPart {
  readonly start: bigint;
  readonly end: bigint;
  readonly isExecutable: boolean;
}

/** Text and initialisation code are executed; what lies between and behind them is not. */
export function partsOf(symbols: SymbolList): KernelPart[] {
  const bounds = ["_text", "_etext", "_sinittext", "_einittext", "_end"];
  const [text, textEnd, init, initEnd, end] = bounds.map((each) => symbols.address(each));
  if (text === undefined || end === undefined) return [];
  if (textEnd === undefined || init === undefined || initEnd === undefined) {
    return [{ start: text, end, isExecutable: true }];
  }
  return [
    { start: text, end: textEnd, isExecutable: true },
    { start: textEnd, end: init, isExecutable: false },
    { start: init, end: initEnd, isExecutable: true },
    { start: initEnd, end, isExecutable: false },
  ];
}
