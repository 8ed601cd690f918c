// One unit of .debug_info: its header, its tree of entries, and the bases that its forms need.
import { type Abbreviation, AbbreviationTable } from "./abbreviations.ts";
import { At } from "./constants.ts";
import { Entry } from "./entry.ts";
import {
  type AttributeValue,
  asOffset,
  asString,
  type FormContext,
  readForm,
  skipForm,
} from "./forms.ts";
import type { DebugInfo } from "./info.ts";
import { type AddressRange, readRangeList, readRanges } from "./range-list.ts";
import { FormatError, type Reader } from "./reader.ts";
import type { DwarfSections } from "./sections.ts";

/** Where units are: DWARF 4 has type units in a section of their own. */
export type UnitSection = "info" | "types";

/** The header of a unit (sections 7.5.1.1 to 7.5.1.3; of DWARF 4's type units 7.5.1.2 there). */
export interface UnitHeader extends FormContext {
  readonly section: UnitSection;
  readonly end: number;
  /** DW_UT_compile 1, type 2, partial 3, skeleton 4, split_compile 5, split_type 6. */
  readonly unitType: number;
  readonly abbreviationsOffset: number;
  readonly entriesOffset: number;
  /** Of a type unit: the signature by which it is referred to, and its type's offset. */
  readonly signature: bigint | undefined;
  readonly typeOffset: number;
}

/** Reads the header at the reader's position and leaves the reader at the next unit. */
export function readUnitHeader(
  reader: Reader,
  sections: DwarfSections,
  section: UnitSection,
): UnitHeader {
  const unitOffset = reader.position;
  const { length, offsetSize } = reader.initialLength();
  const content = reader.slice(length);
  const version = content.u16();
  if (version < 2 || version > 5) throw content.error(`DWARF version ${version} is not 2 to 5`);
  let [unitType, addressSize, abbreviationsOffset] = [section === "types" ? 2 : 1, 0, 0];
  if (version >= 5) {
    unitType = content.u8();
    addressSize = content.u8();
    abbreviationsOffset = content.offset(offsetSize);
  } else {
    abbreviationsOffset = content.offset(offsetSize);
    addressSize = content.u8();
  }
  if (addressSize !== 4 && addressSize !== 8) {
    throw content.error(`addresses of ${addressSize} bytes`);
  }
  let signature: bigint | undefined;
  let typeOffset = 0;
  if (unitType === 4 || unitType === 5) content.skip(8);
  if (unitType === 2 || unitType === 6) {
    signature = content.u64();
    typeOffset = unitOffset + content.offset(offsetSize);
  }
  return {
    section,
    sections,
    version,
    addressSize,
    offsetSize,
    unitOffset,
    end: content.end,
    unitType,
    abbreviationsOffset,
    entriesOffset: content.position,
    signature,
    typeOffset,
  };
}

/** Entries are read at first use: the root alone, or the whole tree. */
export class Unit {
  readonly info: DebugInfo;
  readonly header: UnitHeader;
  /** The unit's own entry; its children are there once `entries` was asked for. */
  readonly root: Entry;
  readonly abbreviations: AbbreviationTable;
  private tree: Map<number, Entry> | undefined;

  constructor(info: DebugInfo, header: UnitHeader) {
    this.info = info;
    this.header = header;
    this.abbreviations = info.abbreviationsAt(
      header.abbreviationsOffset,
      () => new AbbreviationTable(header.sections.open("abbrev", header.abbreviationsOffset)),
    );
    const reader = this.entriesReader();
    const root = this.readEntry(reader, undefined);
    if (!root) throw reader.error("unit without an entry");
    this.root = root;
  }

  get compDir(): string {
    return asString(this.root.get(At.compDir)) ?? "";
  }

  get lineOffset(): number | undefined {
    return asOffset(this.root.get(At.stmtList));
  }

  /** DW_AT_low_pc of the unit, to which its range and location lists are relative. */
  get base(): bigint {
    return this.address(this.root.get(At.lowPc)) ?? 0n;
  }

  /** All entries by offset. Where the unit is damaged, those before the damage. */
  get entries(): ReadonlyMap<number, Entry> {
    if (this.tree) return this.tree;
    this.tree = new Map([[this.root.offset, this.root]]);
    try {
      this.readTree(this.tree);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.info.report(error.message);
    }
    return this.tree;
  }

  /** From the first entry to the end of the unit. */
  entriesReader(): Reader {
    const { sections, section, entriesOffset, end } = this.header;
    return sections.open(section, entriesOffset, end);
  }

  /** The entry at an offset of a reference: in this unit, else anywhere in .debug_info. */
  entryAt(offset: number): Entry | undefined {
    const { unitOffset, end } = this.header;
    return unitOffset <= offset && offset < end
      ? this.entries.get(offset)
      : this.info.entryAt(offset);
  }

  /** The attributes whose values begin at `offset`; where one is damaged, those before it. */
  attributesAt(
    offset: number,
    { shapes }: Abbreviation,
    isRoot: boolean,
  ): ReadonlyMap<number, AttributeValue> {
    const attributes = new Map<number, AttributeValue>();
    try {
      const { sections, section, end } = this.header;
      const reader = sections.open(section, offset, end);
      for (const { attribute, form, implicit } of shapes) {
        attributes.set(attribute, readForm(reader, form, implicit, this.header));
      }
      // The root gives the base of the strings itself, and may do so behind its own strings.
      const base = isRoot ? stringsBase(attributes, this.header.offsetSize) : this.stringsBase;
      for (const [attribute, value] of attributes) {
        if (value.kind !== "index" || value.of !== "string") continue;
        attributes.set(attribute, { kind: "string", value: this.stringAt(value.value, base) });
      }
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.info.report(error.message);
    }
    return attributes;
  }

  /** A string by its index (DW_FORM_strx). */
  stringAt(index: number, base = this.stringsBase): string {
    const { sections, offsetSize } = this.header;
    const slot = sections.open("stringOffsets", base + index * offsetSize);
    return sections.open("strings", slot.offset(offsetSize)).string();
  }

  private get stringsBase(): number {
    return stringsBase(this.root.attributes, this.header.offsetSize);
  }

  /** An address attribute, direct or through .debug_addr. */
  address(value: AttributeValue | undefined): bigint | undefined {
    if (value?.kind === "address") return value.value;
    if (value?.kind === "index" && value.of === "address") return this.addressAt(value.value);
    return undefined;
  }

  addressAt(index: number): bigint {
    const base = this.basis(At.addrBase, 8);
    const { sections, addressSize } = this.header;
    return sections.open("addresses", base + index * addressSize).unsigned(addressSize);
  }

  /** The code of an entry: low_pc and high_pc, or a range list (section 2.17). */
  rangesOf(entry: Entry): AddressRange[] {
    const list = entry.get(At.ranges);
    if (list) return this.rangeListOf(list);
    const low = this.address(entry.get(At.lowPc));
    const high = entry.get(At.highPc);
    if (low === undefined || !high) return [];
    const end = high.kind === "constant" ? low + high.value : this.address(high);
    return end !== undefined && end > low ? [{ start: low, end }] : [];
  }

  /** The first address of an entry's code. */
  entryPointOf(entry: Entry): bigint | undefined {
    return this.address(entry.get(At.entryPc)) ?? this.address(entry.get(At.lowPc));
  }

  /** Where a unit's part of an indexed section begins; `header` is the size of that header. */
  basis(attribute: number, header: number): number {
    const given = asOffset(this.root.get(attribute));
    return given ?? header + (this.header.offsetSize === 8 ? 8 : 0);
  }

  private rangeListOf(list: AttributeValue): AddressRange[] {
    const { sections, version, addressSize, offsetSize } = this.header;
    if (version < 5) {
      const offset = asOffset(list);
      return offset === undefined
        ? []
        : readRanges(sections.open("ranges", offset), addressSize, this.base);
    }
    let offset = asOffset(list);
    if (list.kind === "index") {
      const base = this.basis(At.rnglistsBase, 12);
      offset =
        base + sections.open("rangeLists", base + list.value * offsetSize).offset(offsetSize);
    }
    if (offset === undefined) return [];
    return readRangeList(sections.open("rangeLists", offset), addressSize, this.base, (index) =>
      this.addressAt(index),
    );
  }

  /** Walks with a stack of its own: a damaged unit may nest as deep as it is long. */
  private readTree(tree: Map<number, Entry>): void {
    const reader = this.entriesReader();
    if (!this.readEntry(reader, undefined)?.abbreviation.hasChildren) return;
    const open: Entry[] = [this.root];
    while (open.length > 0 && !reader.atEnd) {
      const parent = open.at(-1)!;
      const entry = this.readEntry(reader, parent);
      if (!entry) {
        open.pop();
        continue;
      }
      (parent.children as Entry[]).push(entry);
      tree.set(entry.offset, entry);
      if (entry.abbreviation.hasChildren) open.push(entry);
    }
  }

  /** Undefined for the null entry that ends a list of children. */
  private readEntry(reader: Reader, parent: Entry | undefined): Entry | undefined {
    const offset = reader.position;
    const code = reader.uleb();
    if (code === 0) return undefined;
    const abbreviation = this.abbreviations.get(code);
    if (!abbreviation) throw reader.error(`entry of unknown abbreviation ${code}`);
    const attributesOffset = reader.position;
    for (const { form } of abbreviation.shapes) skipForm(reader, form, this.header);
    return new Entry(this, offset, abbreviation, attributesOffset, parent);
  }
}

/** Where a unit's part of .debug_str_offsets begins, by its root. */
function stringsBase(root: ReadonlyMap<number, AttributeValue>, offsetSize: 4 | 8): number {
  return asOffset(root.get(At.strOffsetsBase)) ?? (offsetSize === 8 ? 16 : 8);
}
