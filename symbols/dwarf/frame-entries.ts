// Reads the common and frame description entries (CIE, FDE) of .debug_frame and .eh_frame.
import { FormatError, type Reader } from "./reader.ts";
import type { DwarfSections } from "./sections.ts";

export interface CommonEntry {
  readonly codeAlignment: bigint;
  readonly dataAlignment: bigint;
  readonly returnAddressRegister: number;
  readonly isSignalFrame: boolean;
  readonly initialLocation: bigint;
  readonly instructions: Reader;
}

export interface FrameDescription {
  readonly common: CommonEntry;
  readonly start: bigint;
  readonly end: bigint;
  readonly instructions: Reader;
  /** Reads an address as this entry encodes them (DW_CFA_set_loc). */
  readonly readAddress: (reader: Reader) => bigint;
}

type Section = "frame" | "ehFrame";

interface ParsedCommon extends CommonEntry {
  readonly addressSize: 4 | 8;
  /** DW_EH_PE encoding of addresses; 0 is absolute. */
  readonly encoding: number;
  readonly hasAugmentationData: boolean;
}

/**
 * All frame descriptions of a section. The two formats differ: .eh_frame marks a CIE by id 0 and
 * points to it backwards from the field, .debug_frame by all ones and by section offset.
 */
export function readFrames(
  sections: DwarfSections,
  section: Section,
  problems: string[],
): FrameDescription[] {
  const frames: FrameDescription[] = [];
  if (sections.size(section) === 0) return frames;
  const parser = new FrameParser(sections, section);
  const reader = sections.open(section);
  attempt(problems, () => {
    while (!reader.atEnd) {
      const { length, offsetSize } = reader.initialLength();
      const content = reader.slice(length);
      attempt(problems, () => {
        const frame = parser.entry(content, offsetSize);
        if (frame && frame.start < frame.end) frames.push(frame);
      });
    }
  });
  return frames;
}

/** A damaged entry is left out; the next one is found by its length. */
function attempt(problems: string[], read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    problems.push(error.message);
  }
}

class FrameParser {
  private readonly sections: DwarfSections;
  private readonly section: Section;
  private readonly commons = new Map<number, ParsedCommon>();

  constructor(sections: DwarfSections, section: Section) {
    this.sections = sections;
    this.section = section;
  }

  /** Reads the content of an entry; undefined for a CIE and for the terminator of .eh_frame. */
  entry(content: Reader, offsetSize: 4 | 8): FrameDescription | undefined {
    if (content.atEnd) return undefined;
    const idPosition = content.position;
    const isEh = this.section === "ehFrame";
    const id = isEh ? content.u32() : Number(content.unsigned(offsetSize));
    const isCommon = isEh ? id === 0 : id === (offsetSize === 4 ? 0xffffffff : 2 ** 64);
    if (isCommon) return undefined;
    return this.description(content, this.commonAt(isEh ? idPosition - id : id));
  }

  private description(reader: Reader, common: ParsedCommon): FrameDescription {
    const { addressSize, encoding } = common;
    const start = this.pointer(reader, addressSize, encoding);
    // The length has the size of the address's encoding but is never relative.
    const length = this.pointer(reader, addressSize, encoding & 0x0f);
    if (common.hasAugmentationData) reader.skip(reader.uleb());
    return {
      common,
      start,
      end: start + length,
      instructions: reader,
      readAddress: (at) => this.pointer(at, addressSize, encoding),
    };
  }

  private commonAt(offset: number): ParsedCommon {
    const known = this.commons.get(offset);
    if (known) return known;
    const reader = this.sections.open(this.section, offset);
    const { length, offsetSize } = reader.initialLength();
    const content = reader.slice(length);
    content.skip(this.section === "ehFrame" ? 4 : offsetSize);
    const common = this.common(content);
    this.commons.set(offset, common);
    return common;
  }

  private common(reader: Reader): ParsedCommon {
    const version = reader.u8();
    if (version !== 1 && version !== 3 && version !== 4) {
      throw reader.error(`call frame information version ${version}`);
    }
    const augmentation = reader.string();
    let addressSize = this.sections.addressSize;
    if (version >= 4) {
      addressSize = reader.u8() === 4 ? 4 : 8;
      reader.skip(1);
    }
    const codeAlignment = reader.uleb64();
    const dataAlignment = reader.sleb64();
    const returnAddressRegister = version === 1 ? reader.u8() : reader.uleb();
    const hasAugmentationData = augmentation.startsWith("z");
    if (!hasAugmentationData && /[^SB]/.test(augmentation)) {
      throw reader.error(`unknown call frame augmentation "${augmentation}"`);
    }
    let encoding = 0;
    if (hasAugmentationData) encoding = this.augmentation(reader, augmentation, addressSize);
    return {
      addressSize,
      codeAlignment,
      dataAlignment,
      returnAddressRegister,
      isSignalFrame: augmentation.includes("S"),
      initialLocation: 0n,
      encoding,
      hasAugmentationData,
      instructions: reader,
    };
  }

  /** Letters of the augmentation: L language data, P personality routine, R address encoding. */
  private augmentation(reader: Reader, letters: string, addressSize: 4 | 8): number {
    const data = reader.slice(reader.uleb());
    let encoding = 0;
    for (const letter of letters.slice(1)) {
      if (letter === "L") data.skip(1);
      else if (letter === "P") this.pointer(data, addressSize, data.u8());
      else if (letter === "R") encoding = data.u8();
      else if (letter !== "S" && letter !== "B") break;
    }
    return encoding;
  }

  /** A pointer in a DW_EH_PE encoding: low four bits the format, the next three what it adds to. */
  private pointer(reader: Reader, addressSize: 4 | 8, encoding: number): bigint {
    const position = BigInt(reader.position);
    let value: bigint;
    switch (encoding & 0x0f) {
      case 0x00:
        value = reader.unsigned(addressSize);
        break;
      case 0x01:
        value = reader.uleb64();
        break;
      case 0x09:
        value = reader.sleb64();
        break;
      case 0x02:
      case 0x0a:
        value = BigInt.asIntN(encoding & 8 ? 16 : 64, reader.unsigned(2));
        break;
      case 0x03:
      case 0x0b:
        value = BigInt.asIntN(encoding & 8 ? 32 : 64, reader.unsigned(4));
        break;
      case 0x04:
      case 0x0c:
        value = reader.u64();
        break;
      default:
        throw reader.error(`pointer encoding 0x${encoding.toString(16)}`);
    }
    const relative = encoding & 0x70;
    if (relative === 0x10) value += this.sections.ehFrameAddress + position;
    else if (relative !== 0) throw reader.error(`pointer encoding 0x${encoding.toString(16)}`);
    return BigInt.asUintN(addressSize * 8, value);
  }
}
