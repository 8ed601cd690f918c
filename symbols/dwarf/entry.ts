// One debugging information entry (DIE) with its attributes, children and parent.
import type { Abbreviation } from "./abbreviations.ts";
import { At } from "./constants.ts";
import { type AttributeValue, asNumber, asString } from "./forms.ts";
import type { Unit } from "./unit.ts";

const NO_CHILDREN: readonly Entry[] = [];

/** How many abstract_origin and specification links are followed before they count as a cycle. */
const MAX_LINKS = 16;

export class Entry {
  readonly unit: Unit;
  /** Offset in the unit's section. */
  readonly offset: number;
  readonly abbreviation: Abbreviation;
  readonly parent: Entry | undefined;
  readonly children: readonly Entry[];
  private readonly attributesOffset: number;
  private known: ReadonlyMap<number, AttributeValue> | undefined;

  constructor(
    unit: Unit,
    offset: number,
    abbreviation: Abbreviation,
    attributesOffset: number,
    parent: Entry | undefined,
  ) {
    this.unit = unit;
    this.offset = offset;
    this.abbreviation = abbreviation;
    this.attributesOffset = attributesOffset;
    this.parent = parent;
    this.children = abbreviation.hasChildren ? [] : NO_CHILDREN;
  }

  get tag(): number {
    return this.abbreviation.tag;
  }

  /** Decoded at first use: of the entries of a large program few are ever looked at. */
  get attributes(): ReadonlyMap<number, AttributeValue> {
    const { unit, attributesOffset, abbreviation, parent } = this;
    this.known ??= unit.attributesAt(attributesOffset, abbreviation, parent === undefined);
    return this.known;
  }

  get(attribute: number): AttributeValue | undefined {
    return this.attributes.get(attribute);
  }

  flag(attribute: number): boolean {
    const value = this.get(attribute);
    return value?.kind === "flag" && value.value;
  }

  /** The entry itself, then what it completes: its abstract origin or its declaration. */
  *origins(): Generator<Entry> {
    let entry: Entry | undefined = this;
    for (let i = 0; entry && i < MAX_LINKS; i++) {
      yield entry;
      entry = entry.target(At.abstractOrigin) ?? entry.target(At.specification);
    }
  }

  /** The attribute of this entry, else of its origins (section 2.13 and 3.3.8). */
  inherited(attribute: number): AttributeValue | undefined {
    return this.owner(attribute)?.get(attribute);
  }

  /** Which of the origins has the attribute: references and file numbers belong to its unit. */
  owner(attribute: number): Entry | undefined {
    for (const entry of this.origins()) if (entry.attributes.has(attribute)) return entry;
    return undefined;
  }

  get name(): string | undefined {
    return asString(this.inherited(At.name));
  }

  get declarationLine(): number | undefined {
    return asNumber(this.inherited(At.declLine));
  }

  /** The entry that a reference attribute of this entry points to. */
  target(attribute: number): Entry | undefined {
    const value = this.get(attribute);
    if (value?.kind === "reference") return this.unit.entryAt(value.value);
    if (value?.kind === "signature") return this.unit.info.typeOfSignature(value.value);
    return undefined;
  }

  /** The entry of DW_AT_type, its own or inherited; none means void. */
  get type(): Entry | undefined {
    return this.owner(At.type)?.target(At.type);
  }
}
