/** Page-table entries by their parts (APM volume 2, sections 5.3 and 5.4). */
import { type BitFields, decodeWord, type TranslationLevel } from "../../emulator/index.ts";
import { hex } from "../text.ts";

/** Lowest bit of the page that a leaf of this level names. */
function pageBits({ level, bytes }: TranslationLevel): number {
  if (bytes === 4) return level === 2 ? 22 : 12;
  return 3 + 9 * level;
}

/** Parts of this entry, the address last. */
export function entryBits(entry: TranslationLevel): BitFields {
  const { leaf, level, bytes } = entry;
  const top = bytes === 4 ? 31 : 51;
  const low = leaf ? pageBits(entry) : 12;
  return {
    ...{ P: 0, "R/W": 1, "U/S": 2, PWT: 3, PCD: 4, A: 5 },
    ...(leaf ? { D: 6 } : {}),
    ...(level > 1 ? { PS: 7 } : { PAT: 7 }),
    ...(leaf ? { G: 8 } : {}),
    ...(leaf && level > 1 ? { PAT: 12 } : {}),
    AVL: [11, 9],
    ...(bytes === 8 ? { NX: 63 } : {}),
    address: [top, low],
  };
}

/** "P R/W U/S A D PS, page 0x200000": "not present" of an entry without P. */
export function entryText(entry: TranslationLevel): string {
  const { value, leaf } = entry;
  if ((value & 1n) === 0n) return "not present";
  const flags = decodeWord(entryBits(entry), value).filter(
    (part) => part.width === 1 && part.value === 1n,
  );
  const names = flags.map((part) => part.name).join(" ");
  return `${names}, ${leaf ? "page" : "table"} ${hex(entryAddress(entry))}`;
}

/** The address that the entry names. */
export function entryAddress(entry: TranslationLevel): bigint {
  const { value, leaf, bytes } = entry;
  const low = BigInt(leaf ? pageBits(entry) : 12);
  return (BigInt.asUintN(bytes === 4 ? 32 : 52, value) >> low) << low;
}
