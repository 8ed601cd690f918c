/** x87, MMX and SSE registers as variables: as lanes of each width, and as numbers where they are. */
import type { BitFields } from "../../emulator/index.ts";
import type { ShowNumber } from "../format.ts";
import { withBits } from "../place-access.ts";
import { branch, type VariableNode } from "../variables.ts";
import { evaluateName, missing, type RegisterView, registerWord } from "./register-view.ts";
import { typedNumber, type Word, wordNode } from "./words.ts";

/** APM volume 1, sections 4.2.2 and 6.2. */
const MXCSR: BitFields = {
  ...{ IE: 0, DE: 1, ZE: 2, OE: 3, UE: 4, PE: 5, DAZ: 6, IM: 7, DM: 8, ZM: 9, OM: 10, UM: 11 },
  ...{ PM: 12, RC: [14, 13], FZ: 15 },
};
const FCW: BitFields = {
  ...{ IM: 0, DM: 1, ZM: 2, OM: 3, UM: 4, PM: 5, PC: [9, 8], RC: [11, 10] },
};
const FSW: BitFields = {
  ...{ IE: 0, DE: 1, ZE: 2, OE: 3, UE: 4, PE: 5, SF: 6, ES: 7, C0: 8, C1: 9, C2: 10 },
  ...{ TOP: [13, 11], C3: 14, B: 15 },
};
const FTW: BitFields = Object.fromEntries(
  Array.from({ length: 8 }, (_, n) => [`R${n}`, [2 * n + 1, 2 * n] as const]),
);
const UNIT: readonly (readonly [name: string, bits?: BitFields])[] = [
  ["fcw", FCW],
  ["fsw", FSW],
  ["ftw", FTW],
  ["fop"],
  ["fip"],
  ["fcs"],
  ["fdp"],
  ["fds"],
];

interface Lanes {
  readonly name: string;
  readonly width: number;
  readonly text: (bits: bigint, show: ShowNumber) => string;
  /** Whether the user's text is a whole number. */
  readonly isInteger: boolean;
}

const floatText = (bits: bigint, width: 32 | 64): string => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits, true);
  return String(width === 32 ? view.getFloat32(0, true) : view.getFloat64(0, true));
};
const integer = (width: number): Lanes => ({
  name: `u${width}`,
  width,
  text: (bits, show) => show(bits),
  isInteger: true,
});
const SINGLE: Lanes = {
  name: "float",
  width: 32,
  text: (bits) => floatText(bits, 32),
  isInteger: false,
};
const DOUBLE: Lanes = {
  name: "double",
  width: 64,
  text: (bits) => floatText(bits, 64),
  isInteger: false,
};
const SSE_LANES = [SINGLE, DOUBLE, integer(8), integer(16), integer(32), integer(64)];
const MMX_LANES = [integer(8), integer(16), integer(32)];

/** XMM0 to XMM15 and MXCSR. */
export function sseRegisters(shown: RegisterView, show: ShowNumber): VariableNode[] {
  const names = Array.from({ length: 16 }, (_, n) => `xmm${n}`);
  const vectors = names.map((name) => vectorNode(shown, name, 128, SSE_LANES, show));
  return [...vectors, unitNode(shown, "mxcsr", MXCSR, show)];
}

export function mmxAndX87(shown: RegisterView, show: ShowNumber): VariableNode[] {
  const numbers = Array.from({ length: 8 }, (_, n) => n);
  return [
    ...numbers.map((n) => stackNode(shown, n, show)),
    ...UNIT.map(([name, bits]) => unitNode(shown, name, bits, show)),
    ...numbers.map((n) => vectorNode(shown, `mm${n}`, 64, MMX_LANES, show)),
  ];
}

function unitNode(
  shown: RegisterView,
  name: string,
  bits: BitFields | undefined,
  show: ShowNumber,
): VariableNode {
  const word = registerWord(shown, name);
  if (word === undefined) return { name, value: missing(shown) };
  return wordNode(withoutPlace({ ...word, bits }), show);
}

/** Data breakpoints watch the registers that instructions name as operands. */
function withoutPlace(word: Word): Word {
  const { place: _, ...rest } = word;
  return rest;
}

const TAGS = ["valid", "zero", "special", "empty"] as const;

/** A register of the x87 stack: its value, tag and bits. */
function stackNode(shown: RegisterView, n: number, show: ShowNumber): VariableNode {
  const name = `st${n}`;
  const word = registerWord(shown, name);
  if (word === undefined) return { name, value: missing(shown) };
  const [fsw = 0n, ftw = 0n] = [shown.registers.get("fsw"), shown.registers.get("ftw")];
  const physical = (BigInt(n) + (fsw >> 11n)) & 7n;
  const tag = TAGS[Number((ftw >> (2n * physical)) & 3n)] ?? "valid";
  const said = (value: bigint) => (tag === "empty" ? tag : `${extendedText(value)}, ${tag}`);
  return wordNode({ ...withoutPlace(word), words: said }, show);
}

/** An 80-bit number, as near as a JavaScript number comes. */
export function extendedText(value: bigint): string {
  const significand = BigInt.asUintN(64, value);
  const exponent = Number((value >> 64n) & 0x7fffn);
  const sign = (value >> 79n) & 1n ? "-" : "";
  if (exponent === 0x7fff) return BigInt.asUintN(63, significand) === 0n ? `${sign}inf` : "NaN";
  if (significand === 0n) return `${sign}0`;
  const scaled = Number(significand) * 2 ** -63;
  const result = scaled * 2 ** (exponent - 16383);
  if (result === 0 || !Number.isFinite(result)) return `${sign}${scaled} * 2^${exponent - 16383}`;
  return `${sign}${result}`;
}

function vectorNode(
  shown: RegisterView,
  name: string,
  width: number,
  lanes: readonly Lanes[],
  show: ShowNumber,
): VariableNode {
  const word = registerWord(shown, name);
  if (word === undefined) return { name, value: missing(shown) };
  const each = (numbers: ShowNumber) => lanes.map((lane) => laneNode(word, width, lane, numbers));
  return {
    ...wordNode(word, show, { evaluateName: evaluateName(shown, name) }),
    children: branch(each),
  };
}

/** All lanes of one width, lane 0 first. */
function laneNode(word: Word, width: number, lane: Lanes, show: ShowNumber): VariableNode {
  const count = width / lane.width;
  const at = (index: number) =>
    BigInt.asUintN(lane.width, (word.read?.() ?? word.value) >> BigInt(index * lane.width));
  const texts = Array.from({ length: count }, (_, index) => lane.text(at(index), show));
  return {
    name: lane.name,
    value: `{${texts.join(", ")}}`,
    children: {
      indexed: count,
      list: (start, most, numbers) =>
        Array.from({ length: Math.max(0, Math.min(count - start, most)) }, (_, i) => {
          const index = start + i;
          return elementNode(word, lane, index, lane.text(at(index), numbers), numbers);
        }),
    },
  };
}

function elementNode(
  word: Word,
  lane: Lanes,
  index: number,
  value: string,
  show: ShowNumber,
): VariableNode {
  const name = `[${index}]`;
  if (!lane.isInteger) return { name, value };
  return {
    name,
    value,
    set: (typed) => {
      const number = BigInt.asUintN(lane.width, typedNumber(typed));
      const bits = { offset: index * lane.width, width: lane.width };
      word.write?.(withBits(word.read?.() ?? word.value, bits, number));
      return show(number);
    },
  };
}
