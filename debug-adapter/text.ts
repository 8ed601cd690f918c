/** How numbers and errors are written for the user. */

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** An error that a user can act on: its message is one clear sentence. */
export class UserError extends Error {
  override readonly name: string = "UserError";
  constructor(message: string) {
    super(oneLine(message));
  }
}

const LONGEST_LINE = 1000;
const START_OF_LINE = 750;
const END_OF_LINE = 200;

/** What a message quotes may be long, and have any characters: its middle is left out. */
export function oneLine(text: string): string {
  const [start, end] =
    text.length <= LONGEST_LINE
      ? [text, ""]
      : [`${text.slice(0, START_OF_LINE)}...`, text.slice(-END_OF_LINE)];
  return `${start}${end}`.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}

/** What a client asks by itself and cannot have: the user need not be told. */
export class QuietError extends UserError {
  override readonly name: string = "QuietError";
}

/** The machine runs, and the request looks at it standing still: no news for the user. */
export class RunningError extends QuietError {
  override readonly name = "RunningError";
  constructor() {
    super("The machine is running: pause it first.");
  }
}

/** What is named is not there before the first VMRUN or exit: a search for where something holds goes on. */
export class NotYetError extends UserError {
  override readonly name = "NotYetError";
}

/** The message of anything that was thrown. */
export function messageOf(caught: unknown): string {
  return caught instanceof Error ? caught.message : String(caught);
}

/** A whole number in decimal or hexadecimal, or undefined. */
export function parseInteger(text: string): bigint | undefined {
  const trimmed = text.trim();
  const negative = trimmed.startsWith("-");
  const digits = negative ? trimmed.slice(1).trim() : trimmed;
  if (!/^(0x[0-9a-f_]+|[0-9]+)$/i.test(digits)) return undefined;
  const value = BigInt(digits.replaceAll("_", ""));
  return negative ? -value : value;
}
