/** Source frames by address, kept from stop to stop: a step asks for the same ones again. */
import type { ImageSymbols, SourceFrame } from "../../symbols/image-symbols.ts";

const KEPT = 4096;
const known = new WeakMap<ImageSymbols, Map<bigint, readonly SourceFrame[]>>();

/** The symbols' framesAt(). What they give depends on the address only. */
export function sourceFramesAt(symbols: ImageSymbols, pc: bigint): readonly SourceFrame[] {
  let frames = known.get(symbols);
  if (frames === undefined) {
    frames = new Map();
    known.set(symbols, frames);
  }
  const found = frames.get(pc);
  if (found !== undefined) return found;
  if (frames.size >= KEPT) frames.clear();
  const made = symbols.framesAt(pc);
  frames.set(pc, made);
  return made;
}
