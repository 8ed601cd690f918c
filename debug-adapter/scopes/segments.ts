/** Segment registers as variables: selector, descriptor cache, and what its attributes say. */
import type { VmcbSegment } from "../../emulator/index.ts";
import type { ShowNumber } from "../format.ts";
import type { SegmentPart } from "../value-place.ts";
import { branch, type VariableNode } from "../variables.ts";
import { type Attributes, typedNumber } from "./words.ts";

const isTable = (name: string): boolean => /^[gi]dtr$/i.test(name);

export interface SegmentValue {
  readonly name: string;
  readonly value: VmcbSegment;
  /** What it was before, if that is known. */
  readonly was?: VmcbSegment | undefined;
  /** Sets one part; throws a UserError. */
  readonly write?: (part: SegmentPart, value: bigint) => void;
  /** Memory reference of a part. */
  readonly refer?: (part: SegmentPart) => string | undefined;
}

/** "selector 0x8, base 0x0, limit 0xffffffff, attributes 0xa9b (code, DPL 0, P, L, G)". */
function text(name: string, segment: VmcbSegment, show: ShowNumber): string {
  return partsOf(name)
    .map((part) => `${part} ${partText(segment, part, show)}`)
    .join(", ");
}

const partsOf = (name: string): readonly SegmentPart[] =>
  isTable(name) ? ["base", "limit"] : ["selector", "base", "limit", "attributes"];

function partText(segment: VmcbSegment, part: SegmentPart, show: ShowNumber): string {
  const shown = show(segment[part]);
  return part === "attributes" ? `${shown} (${attributeText(segment.attributes)})` : shown;
}

/** "code, DPL 0, P, L". */
function attributeText(attributes: number): string {
  const bit = (n: number, name: string) => ((attributes >> n) & 1 ? [name] : []);
  const system = ((attributes >> 4) & 1) === 0;
  const kind = system
    ? `system type 0x${(attributes & 15).toString(16)}`
    : attributes & 8
      ? "code"
      : "data";
  const dpl = `DPL ${(attributes >> 5) & 3}`;
  const others = [...bit(7, "P"), ...bit(8, "AVL"), ...bit(9, "L"), ...bit(10, "D/B")];
  return [kind, dpl, ...others, ...bit(11, "G")].join(", ");
}

export function segmentNode(
  segment: SegmentValue,
  show: ShowNumber,
  attributes: Attributes = {},
): VariableNode {
  const { name, value, was = value } = segment;
  const now = text(name, value, show);
  const before = text(name, was, show);
  return {
    name,
    value: now === before ? now : `${before} -> ${now}`,
    ...attributes,
    children: branch((numbers) => partsOf(name).map((part) => partNode(segment, part, numbers))),
  };
}

function partNode(segment: SegmentValue, part: SegmentPart, show: ShowNumber): VariableNode {
  const { value, was = value, write, refer } = segment;
  const now = partText(value, part, show);
  const reference = refer?.(part);
  return {
    name: part,
    value: was[part] === value[part] ? now : `${show(was[part])} -> ${now}`,
    ...(reference === undefined ? {} : { memoryReference: reference }),
    ...(write === undefined
      ? {}
      : {
          set: (typed) => {
            const number = typedNumber(typed);
            write(part, number);
            return show(number);
          },
        }),
  };
}
