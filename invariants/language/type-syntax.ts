/** Types as parameters of definitions name them. */
import type { BuiltIns } from "./declarations.ts";
import { BOOLEAN, INTEGER, listOf, rangeOf, recordOf, SPACES, type Type } from "./types.ts";

const MOST_LISTS = 8;

/** "integer", "hpa range", "list of Leaf"; undefined for a name that means no type. */
export function typeNamed(text: string, { records }: BuiltIns, lists = 0): Type | undefined {
  if (text === "integer") return INTEGER;
  if (text === "boolean") return BOOLEAN;
  const space = SPACES.find((each) => text === `${each} range`);
  if (space !== undefined) return rangeOf(space);
  if (records.has(text)) return recordOf(text);
  if (lists >= MOST_LISTS || !text.startsWith("list of ")) return undefined;
  const element = typeNamed(text.slice("list of ".length), { records } as BuiltIns, lists + 1);
  return element && listOf(element);
}

export function typeNames({ records }: BuiltIns): string[] {
  const ranges = SPACES.map((space) => `${space} range`);
  return ["integer", "boolean", ...ranges, ...records.keys(), "list of ..."];
}
