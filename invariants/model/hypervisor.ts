/** The hypervisor's memory and image as a record of ranges. */
import type { AddressRange } from "../address-range.ts";
import { type Result, rangeValue, span, Unknown } from "../evaluate/value.ts";
import type { HypervisorMemory } from "../hypervisor-memory.ts";
import { imageSegments } from "../hypervisor-memory.ts";
import { rangeOf } from "../language/types.ts";
import { defineRecord } from "./record.ts";
import type { View } from "./view.ts";

const SECTION = "15.25";

const toRange = (ranges: readonly AddressRange[]): Result =>
  rangeValue(
    "hpa",
    ranges.map(({ first, bytes }) => ({ first: BigInt(first), end: BigInt(first + bytes) })),
  );

/** Equal memory is the same value, so that it is seen to be unchanged. */
const values = new WeakMap<readonly AddressRange[], Result>();

function memoryOf(memory: HypervisorMemory): Result {
  if (memory.source === "unknown") return new Unknown(memory.reason);
  const known = values.get(memory.ranges) ?? toRange(memory.ranges);
  values.set(memory.ranges, known);
  return known;
}

function imageOf({ machine: { image } }: View): Result {
  const found = image === undefined ? [] : imageSegments(image);
  if (found.length > 0) return toRange(found);
  return new Unknown("the image of the hypervisor is not known");
}

export const HYPERVISOR = defineRecord<undefined>("Hypervisor", {
  doc: "What belongs to the hypervisor.",
  isLive: true,
  fields: {
    memory: {
      type: rangeOf("hpa"),
      doc: "Its memory: declared by `memory hv` or the launch, else derived at VMRUN.",
      section: SECTION,
      read: (_, view) => memoryOf(view.hypervisor()),
    },
    image: {
      type: rangeOf("hpa"),
      doc: "Its image's loaded segments.",
      read: (_, view) => imageOf(view),
    },
    text: {
      type: rangeOf("hpa"),
      doc: "Sections of its image that are loaded and not writable: code and constants.",
      read: (_, { program }) => {
        if (program === undefined) return new Unknown("the sections of the image are not known");
        return toRange(program.text);
      },
    },
    stack: {
      type: rangeOf("hpa"),
      doc: "The page of its stack's top.",
      read: (_, { context, pages }) => {
        if (context instanceof Unknown) return context;
        const top = pages.physical(context.stack, context);
        if (top === undefined) return new Unknown("the stack of the host is not mapped");
        return span("hpa", BigInt(top - (top % 4096)), 4096n);
      },
    },
  },
});
