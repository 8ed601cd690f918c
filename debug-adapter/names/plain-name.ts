/** Names of the machine's parts as users write them: neither case nor underscores count. */
import { MSRS } from "../../emulator/index.ts";

/** The same for all ways to write a name. */
export const plainName = (name: string): string => name.toLowerCase().replaceAll("_", "");

const MSRS_BY_NAME = new Map(MSRS.map((entry) => [plainName(entry.name), entry]));

/** The row of an MSR; undefined where the machine has none of that name. */
export const msrByName = (name: string): (typeof MSRS)[number] | undefined =>
  MSRS_BY_NAME.get(plainName(name));
