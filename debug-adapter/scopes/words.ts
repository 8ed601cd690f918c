/** Numbers with named parts as variables: shown decoded, compared with what they were, and set. */
import { type BitFields, type DecodedBit, decodeWord, describeWord } from "../../emulator/index.ts";
import type { ShowNumber } from "../format.ts";
import { withBits } from "../place-access.ts";
import { parseInteger, UserError } from "../text.ts";
import type { ValuePlace } from "../value-place.ts";
import { branch, type Children, type VariableNode } from "../variables.ts";

export interface Word {
  readonly name: string;
  readonly value: bigint;
  /** What it was before, if that is known: shown where it differs. */
  readonly was?: bigint | undefined;
  readonly bits?: BitFields | undefined;
  /** What the whole says, where its parts do not say it: the name of an exit code. */
  readonly words?: (value: bigint) => string;
  readonly place?: ValuePlace;
  /** Takes the number; throws a UserError. */
  readonly write?: (value: bigint) => void;
  /** The number as it is now. */
  readonly read?: () => bigint;
}

/** What else a variable has. */
export type Attributes = Partial<
  Pick<VariableNode, "type" | "memoryReference" | "evaluateName" | "target" | "isConstant">
>;

/** The number that the user typed; of "old -> new", as changed values are shown, the second. */
export function typedNumber(text: string): bigint {
  const value = parseInteger(text.split("->").at(-1) ?? text);
  if (value === undefined) throw new UserError(`"${text}" is not a number; write 0x.. or decimal.`);
  return value;
}

/** "0x11 (PE ET)". */
function text({ bits, words }: Word, value: bigint, show: ShowNumber): string {
  const said = words?.(value) ?? (bits === undefined ? "" : describeWord(decodeWord(bits, value)));
  return said === "" ? show(value) : `${show(value)} (${said})`;
}

const changed = (old: string, now: string): string => (old === now ? now : `${old} -> ${now}`);

export function wordNode(word: Word, show: ShowNumber, attributes: Attributes = {}): VariableNode {
  const { name, value, was = value, place, write, read } = word;
  const shown = was === value ? "" : `${show(was)} -> `;
  return {
    name,
    value: `${shown}${text(word, value, show)}`,
    ...attributes,
    ...(place === undefined ? {} : { place }),
    ...partsOf(word),
    ...(write === undefined
      ? {}
      : {
          set: (typed) => {
            const number = typedNumber(typed);
            write(number);
            return text(word, read?.() ?? number, show);
          },
        }),
  };
}

function partsOf(word: Word): { children?: Children } {
  const { bits } = word;
  if (bits === undefined) return {};
  return { children: branch((show) => bitNodes(word, bits, show)) };
}

/** The parts of a word, settable where it is. */
export function bitNodes(word: Word, bits: BitFields, show: ShowNumber): VariableNode[] {
  const { value, was = value } = word;
  const before = decodeWord(bits, was);
  return decodeWord(bits, value).map((part, i) => bitNode(word, part, before[i] ?? part, show));
}

function bitNode(word: Word, part: DecodedBit, was: DecodedBit, show: ShowNumber): VariableNode {
  const { name, low, width } = part;
  const { place, write, read, value } = word;
  const shown = (number: bigint) => (width === 1 ? String(number) : show(number));
  return {
    name,
    value: changed(shown(was.value), shown(part.value)),
    ...(place === undefined ? {} : { place: { ...place, bits: { offset: low, width } } }),
    ...(write === undefined
      ? {}
      : {
          set: (typed) => {
            const number = typedNumber(typed);
            if (number < 0n || number >> BigInt(width) !== 0n) {
              const most = (1n << BigInt(width)) - 1n;
              throw new UserError(`${name} is ${width === 1 ? "0 or 1" : `0 to ${show(most)}`}.`);
            }
            write(withBits(read?.() ?? value, { offset: low, width }, number));
            return shown(number);
          },
        }),
  };
}
