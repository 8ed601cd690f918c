/** Numbers of exits and instructions as they are typed: `20000`, `20,000`, `20_000` or `0x4e20`. */

import { counted } from "../counted.ts";

export interface CountRange {
  readonly first: number;
  readonly last: number;
}

/** The number, or what is wrong with the text. */
export function parseCount(text: string, { first, last }: CountRange): number | string {
  const digits = text.trim().replace(/(?<=\d)[,_](?=\d)/g, "");
  const isNumber = /^(?:\d+|0x[0-9a-f]+)$/i.test(digits);
  if (!isNumber) return `"${text}" is no number: write 20000, 20,000 or 0x4e20.`;
  const count = Number(digits);
  if (count >= first && count <= last) return count;
  if (last < first) return "The recording has none yet.";
  return `${counted(count)} is not in the recording: it has ${first} to ${counted(last)}.`;
}
