/** The built-in functions: rows of parameters, type and what they compute. */
import { INTERCEPTS, MSR_RANGES, msrPermission } from "../../emulator/index.ts";
import { defineSource, type Source } from "../evaluate/readings.ts";
import {
  type Bytes,
  type ListValue,
  type RangeValue,
  type Result,
  rangeSize,
  rangesMeet,
  rangeValue,
  rangeWithin,
  span,
  Unknown,
} from "../evaluate/value.ts";
import type { FunctionDeclaration } from "../language/declarations.ts";
import {
  BOOLEAN,
  INTEGER,
  listOf,
  rangeOf,
  recordOf,
  type Space,
  type Type,
} from "../language/types.ts";
import { PAGE_TABLES } from "./page-tables.ts";
import type { View } from "./view.ts";

export interface FunctionModel extends FunctionDeclaration {
  /** It reads the machine; else its value is that of its arguments. */
  readonly isLive: boolean;
  /** All that it reads, whatever its arguments are. */
  readonly basis?: Source;
  /** No argument is unknown. */
  call(values: readonly Result[], view: View): Result;
  bytes?(values: readonly Result[], view: View): Bytes | undefined;
}

type Parameter = FunctionDeclaration["parameters"][number];

const parameter = (name: string, type: Parameter["type"]): Parameter => ({ name, type });
const x = parameter("x", INTEGER);
const y = parameter("y", INTEGER);
const two = [parameter("a", "any range"), parameter("b", "any range")];
const one = [parameter("range", "any range")];

function pure(
  parameters: readonly Parameter[],
  type: Type,
  doc: string,
  call: (values: readonly Result[]) => Result,
): FunctionModel {
  return { parameters, type, doc, isLive: false, call };
}

const integers = (values: readonly Result[]): [bigint, bigint, bigint] =>
  values as unknown as [bigint, bigint, bigint];
const ranges = (values: readonly Result[]): [RangeValue, RangeValue] =>
  values as unknown as [RangeValue, RangeValue];

function rangeConstructor(space: Space): FunctionModel {
  const doc = `The ${space} range of so many bytes from an address on.`;
  return pure(
    [parameter("first", INTEGER), parameter("bytes", INTEGER)],
    rangeOf(space),
    doc,
    (v) => {
      const [first, bytes] = integers(v);
      return span(space, first, bytes);
    },
  );
}

const MOST_BITS = 4096n;
const MOST_INTEGERS = 0x1_0000n;

function walk(doc: string, section: string, isNested: boolean): FunctionModel {
  return {
    parameters: [parameter("cr3", INTEGER)],
    type: recordOf("PageTables"),
    doc,
    section,
    isLive: true,
    call: ([cr3], { context, paging, walks }) => {
      const root = cr3 as bigint;
      const isJudged = isNested && !(context instanceof Unknown);
      const walk = isJudged ? walks.nested(context, root) : walks.host(paging, root);
      return walk instanceof Unknown ? walk : PAGE_TABLES.make(walk);
    },
  };
}

/** The VMCB in use, where it makes VMRUN use the map. */
function permissionMap(view: View, intercept: "MSR" | "IOIO"): number | undefined | Unknown {
  const { context } = view;
  if (context instanceof Unknown) return context;
  const vmcb = view.vmcbAt(context.vmcb);
  const isOn = (vmcb.read("INTERCEPT_MISC1") >>> INTERCEPTS[intercept].bit) & 1;
  if (isOn === 0) return undefined;
  const base = intercept === "MSR" ? vmcb.read("MSRPM_BASE_PA") : vmcb.read("IOPM_BASE_PA");
  return Number(base & 0xf_ffff_ffff_f000n);
}

/** Which map is in use, and that nothing was written to it. */
function mapBasis(intercept: "MSR" | "IOIO", bytes: number): Source {
  const read = (view: View) => {
    const base = permissionMap(view, intercept);
    return typeof base === "number" ? view.ranges.unchanged(base, bytes) : base;
  };
  return defineSource(read, (before, now) => before === now);
}

const MSR_MAP = mapBasis("MSR", 0x2000);
const IO_MAP = mapBasis("IOIO", 0x3000);

function mapByte({ machine }: View, address: number, what: string): number | Unknown {
  if (machine.memory.pointer(address) < 0) return new Unknown(`${what} does not lie in RAM`);
  return machine.memory.peek(address, 1)[0] as number;
}

const msrIntercepted: FunctionModel = {
  parameters: [parameter("msr", INTEGER), parameter("write", BOOLEAN)],
  type: BOOLEAN,
  doc: "Whether a guest's RDMSR or, with true, its WRMSR is intercepted.",
  section: "15.11",
  isLive: true,
  basis: MSR_MAP,
  call: ([msr, write], view) => {
    const base = permissionMap(view, "MSR");
    if (base instanceof Unknown) return base;
    if (base === undefined) return false;
    const place = msrPermission(Number(BigInt.asUintN(32, msr as bigint)), write as boolean);
    if (place === undefined) return true;
    const byte = mapByte(view, base + place.offset, "the MSR permission map");
    return byte instanceof Unknown ? byte : ((byte >> place.bit) & 1) !== 0;
  },
  bytes: ([msr, write], view) => {
    const base = permissionMap(view, "MSR");
    const place = msrPermission(Number(BigInt.asUintN(32, msr as bigint)), write as boolean);
    if (typeof base !== "number" || place === undefined) return undefined;
    return { first: base + place.offset, bytes: 1, statusBits: 0n };
  },
};

const portIntercepted: FunctionModel = {
  parameters: [parameter("port", INTEGER)],
  type: BOOLEAN,
  doc: "Whether a guest's access to a port is intercepted.",
  section: "15.10",
  isLive: true,
  basis: IO_MAP,
  call: ([port], view) => {
    const base = permissionMap(view, "IOIO");
    if (base instanceof Unknown) return base;
    if (base === undefined) return false;
    const number = Number(port as bigint);
    if (number < 0 || number > 0xffff) return new Unknown(`there is no port ${number}`);
    const byte = mapByte(view, base + (number >> 3), "the I/O permission map");
    return byte instanceof Unknown ? byte : ((byte >> (number & 7)) & 1) !== 0;
  },
  bytes: ([port], view) => {
    const base = permissionMap(view, "IOIO");
    if (typeof base !== "number") return undefined;
    return { first: base + (Number(port as bigint) >> 3), bytes: 1, statusBits: 0n };
  },
};

/** Numbers of the bits that are 0, in so many bytes of a map. */
function clearBits(
  { machine }: View,
  base: number,
  bytes: number,
  what: string,
): readonly number[] | Unknown {
  if (machine.memory.pointer(base) < 0) return new Unknown(`${what} does not lie in RAM`);
  const clear: number[] = [];
  machine.memory.peek(base, bytes).forEach((byte, at) => {
    for (let bit = 0; byte !== 0xff && bit < 8; bit++) {
      if (((byte >> bit) & 1) === 0) clear.push(8 * at + bit);
    }
  });
  return clear;
}

const integerList = (numbers: readonly number[]): ListValue => ({
  kind: "list",
  elements: numbers.map(BigInt),
});

const PORTS = 0x1_0000;
/** Two bits each of 8192 MSRs. */
const MSR_RANGE_BYTES = 0x800;

const openPorts: FunctionModel = {
  parameters: [],
  type: listOf(INTEGER),
  doc: "The ports that a guest reaches without an exit.",
  section: "15.10",
  isLive: true,
  basis: IO_MAP,
  call: (_, view) => {
    const base = permissionMap(view, "IOIO");
    if (base instanceof Unknown) return base;
    if (base === undefined) return integerList(Array.from({ length: PORTS }, (_, port) => port));
    const ports = clearBits(view, base, PORTS / 8, "the I/O permission map");
    return ports instanceof Unknown ? ports : integerList(ports);
  },
  bytes: (_, view) => wholeMap(permissionMap(view, "IOIO"), PORTS / 8),
};

const openMsrs: FunctionModel = {
  parameters: [parameter("write", BOOLEAN)],
  type: listOf(INTEGER),
  doc: "The MSRs that a guest reads or, with true, writes without an exit, of those that the map has.",
  section: "15.11",
  isLive: true,
  basis: MSR_MAP,
  call: ([write], view) => {
    const base = permissionMap(view, "MSR");
    if (base instanceof Unknown) return base;
    const isMeant = (bit: number) => bit % 2 === (write === true ? 1 : 0);
    const open: number[] = [];
    for (const { first, offset } of MSR_RANGES) {
      const every = Array.from({ length: 8 * MSR_RANGE_BYTES }, (_, bit) => bit);
      const bits =
        base === undefined
          ? every
          : clearBits(view, base + offset, MSR_RANGE_BYTES, "the MSR permission map");
      if (bits instanceof Unknown) return bits;
      open.push(...bits.filter(isMeant).map((bit) => first + (bit >> 1)));
    }
    return integerList(open);
  },
  bytes: (_, view) => wholeMap(permissionMap(view, "MSR"), MSR_RANGES.length * MSR_RANGE_BYTES),
};

function wholeMap(base: number | undefined | Unknown, bytes: number): Bytes | undefined {
  return typeof base === "number" ? { first: base, bytes, statusBits: 0n } : undefined;
}

/** More is not walked: descriptor tables and stacks are some pages. */
const MOST_LINEAR = 0x100_0000n;
const PAGE = 0x1000n;

const physical: FunctionModel = {
  parameters: [parameter("range", rangeOf("hva"))],
  type: rangeOf("hpa"),
  doc: "The bytes of memory that the host's own tables give an hva range of at most 16 MiB.",
  section: "5.3",
  isLive: true,
  call: ([range], { pages, paging, context }) => {
    const host = context instanceof Unknown ? paging : context;
    const bounds: { first: bigint; end: bigint }[] = [];
    if (rangeSize(range as RangeValue) > MOST_LINEAR) return new Unknown("the range is too long");
    for (const { first, end } of (range as RangeValue).bounds) {
      for (let at = first; at < end; at += PAGE - (at % PAGE)) {
        const hpa = pages.physical(at, host);
        if (hpa === undefined) return new Unknown(`hva:0x${at.toString(16)} is not mapped`);
        const next = at + PAGE - (at % PAGE);
        bounds.push({ first: BigInt(hpa), end: BigInt(hpa) + (next < end ? next : end) - at });
      }
    }
    return rangeValue("hpa", bounds);
  },
};

const isAnothersAsid: FunctionModel = {
  parameters: [parameter("asid", INTEGER)],
  type: BOOLEAN,
  doc: "Whether the TLB may keep translations of an ASID that came from running another VMCB: no TLB_CONTROL has flushed it since.",
  section: "15.16",
  isLive: true,
  call: ([asid], view) => view.tlb.isAnothers(Number(asid as bigint), view),
};

export const FUNCTIONS: { readonly [name: string]: FunctionModel } = {
  disjoint: pure(
    two,
    BOOLEAN,
    "Whether two ranges have no byte in common.",
    (v) => !rangesMeet(...ranges(v)),
  ),
  overlaps: pure(two, BOOLEAN, "Whether two ranges have a byte in common.", (v) =>
    rangesMeet(...ranges(v)),
  ),
  within: pure(two, BOOLEAN, "Whether every byte of one lies in the other.", (v) =>
    rangeWithin(...ranges(v)),
  ),
  size: pure(one, INTEGER, "The number of bytes of a range.", (v) => rangeSize(ranges(v)[0])),
  first: pure(one, INTEGER, "The first address of a range.", (v) => {
    return ranges(v)[0].bounds[0]?.first ?? new Unknown("the range is empty");
  }),
  last: pure(one, INTEGER, "The last address of a range.", (v) => {
    const end = ranges(v)[0].bounds.at(-1)?.end;
    return end === undefined ? new Unknown("the range is empty") : end - 1n;
  }),
  hpa: rangeConstructor("hpa"),
  gpa: rangeConstructor("gpa"),
  hva: rangeConstructor("hva"),
  gva: rangeConstructor("gva"),
  join: pure(
    [parameter("a", rangeOf("hpa")), parameter("b", rangeOf("hpa"))],
    rangeOf("hpa"),
    "All bytes of two hpa ranges.",
    (v) => {
      const [a, b] = ranges(v);
      return rangeValue("hpa", [...a.bounds, ...b.bounds]);
    },
  ),
  bit: pure([x, parameter("n", INTEGER)], BOOLEAN, "Whether bit n of x is set.", (v) => {
    const [value, n] = integers(v);
    if (n < 0n || n > MOST_BITS) return new Unknown(`there is no bit ${n}`);
    return ((value >> n) & 1n) !== 0n;
  }),
  bits: pure(
    [x, parameter("high", INTEGER), parameter("low", INTEGER)],
    INTEGER,
    "Bits high to low of x, both ends included.",
    (v) => {
      const [value, high, low] = integers(v);
      if (low < 0n || high < low || high > MOST_BITS)
        return new Unknown(`there are no bits ${high}:${low}`);
      return (value >> low) & ((1n << (high - low + 1n)) - 1n);
    },
  ),
  aligned: pure([x, parameter("n", INTEGER)], BOOLEAN, "Whether x is a multiple of n.", (v) => {
    const [value, n] = integers(v);
    return n === 0n ? new Unknown("nothing is a multiple of 0") : value % n === 0n;
  }),
  min: pure([x, y], INTEGER, "The smaller one.", (v) => {
    const [a, b] = integers(v);
    if (a <= b) return a;
    return b;
  }),
  max: pure([x, y], INTEGER, "The larger one.", (v) => {
    const [a, b] = integers(v);
    if (a > b) return a;
    return b;
  }),
  integers: pure(
    [parameter("first", INTEGER), parameter("end", INTEGER)],
    listOf(INTEGER),
    "The integers from first on, without end; 65,536 at the most.",
    (v) => {
      const [from, end] = integers(v);
      if (end - from > MOST_INTEGERS) return new Unknown(`${end - from} integers are too many`);
      const elements: bigint[] = [];
      for (let each = from; each < end; each++) elements.push(each);
      return { kind: "list", elements };
    },
  ),
  is_canonical: pure([x], BOOLEAN, "Whether bits 63:47 of an address are equal.", (v) => {
    const top = BigInt.asUintN(64, integers(v)[0]) >> 47n;
    return top === 0n || top === 0x1_ffffn;
  }),
  length: pure([parameter("list", "any list")], INTEGER, "The number of elements.", ([list]) => {
    return BigInt((list as ListValue).elements.length);
  }),
  npt: walk("The nested tables of a root, in the host's format.", "15.25.3", true),
  physical,
  pages: walk("The host's own tables of a root.", "5.3", false),
  msr_intercepted: msrIntercepted,
  port_intercepted: portIntercepted,
  open_msrs: openMsrs,
  open_ports: openPorts,
  is_anothers_asid: isAnothersAsid,
};
