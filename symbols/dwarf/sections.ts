// Gathers the debug sections of an ELF file; a missing or unreadable one is empty.
import { type Elf, sectionBytes, sectionNamed } from "../elf.ts";
import { FormatError, Reader } from "./reader.ts";

const NAMES = {
  info: ".debug_info",
  types: ".debug_types",
  abbrev: ".debug_abbrev",
  line: ".debug_line",
  lineStrings: ".debug_line_str",
  strings: ".debug_str",
  stringOffsets: ".debug_str_offsets",
  addresses: ".debug_addr",
  locationLists: ".debug_loclists",
  locations: ".debug_loc",
  rangeLists: ".debug_rnglists",
  ranges: ".debug_ranges",
  frame: ".debug_frame",
  ehFrame: ".eh_frame",
} as const;

export type SectionKey = keyof typeof NAMES;

/** Opens readers over the debug sections of one ELF file. */
export class DwarfSections {
  readonly addressSize: 4 | 8;
  readonly ehFrameAddress: bigint;
  /** One sentence for each section that is there and cannot be read. */
  readonly problems: string[] = [];
  private readonly contents = new Map<SectionKey, Uint8Array>();

  constructor(elf: Elf) {
    this.addressSize = elf.is64 ? 8 : 4;
    this.ehFrameAddress = sectionNamed(elf, NAMES.ehFrame)?.address ?? 0n;
    for (const key of Object.keys(NAMES) as SectionKey[]) {
      const section = sectionNamed(elf, NAMES[key]);
      if (!section) continue;
      try {
        this.contents.set(key, sectionBytes(elf, section));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        this.problems.push(error.message);
      }
    }
  }

  size(key: SectionKey): number {
    return this.contents.get(key)?.length ?? 0;
  }

  /** A reader at `offset` of the section; throws where the section has no such offset. */
  open(key: SectionKey, offset = 0, end?: number): Reader {
    const bytes = this.contents.get(key);
    if (!bytes) throw new FormatError(`${NAMES[key]} is missing`);
    return new Reader(bytes, NAMES[key], offset, end);
  }
}
