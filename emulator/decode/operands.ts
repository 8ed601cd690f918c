/** The manual's operand letters: where each operand is encoded and how wide it is. */

/** Where an operand comes from. */
export type Place =
  | "rm" // ModRM.rm: register or memory
  | "rmRegister" // ModRM.rm, register form only
  | "memory" // ModRM.rm, memory form only
  | "reg" // ModRM.reg
  | "opcode" // low three bits of the opcode
  | "immediate"
  | "relative" // displacement from the next instruction; reads as the target
  | "moffs" // memory at an absolute offset
  | "far" // offset and selector in the instruction
  | "fixed" // a register that the mnemonic implies
  | "one"; // the constant 1

/** Register file that a register operand is in. */
export type RegisterFile = "general" | "xmm" | "x87" | "mmx" | "segment" | "control" | "debug";

/** Width: bytes, or a rule. v = operand size; z = at most 4; y = 8 with REX.W else 4; m = machine word. */
export type Width = 0 | 1 | 2 | 4 | 8 | 10 | 16 | "v" | "z" | "y" | "m" | "far" | "ibs";

export interface Operand {
  readonly place: Place;
  readonly file: RegisterFile;
  readonly width: Width;
  /** Register number for "fixed". */
  readonly register?: number;
}

const WIDTHS: Record<string, Width> = {
  b: 1,
  w: 2,
  d: 4,
  q: 8,
  t: 10,
  x: 16,
  dq: 16,
  v: "v",
  z: "z",
  y: "y",
  p: "far",
  bs: "ibs",
  s: 0,
  "": 0,
};

const PREFIXES: Record<string, { place: Place; file: RegisterFile }> = {
  E: { place: "rm", file: "general" },
  G: { place: "reg", file: "general" },
  M: { place: "memory", file: "general" },
  R: { place: "rmRegister", file: "general" },
  I: { place: "immediate", file: "general" },
  J: { place: "relative", file: "general" },
  O: { place: "moffs", file: "general" },
  Z: { place: "opcode", file: "general" },
  A: { place: "far", file: "general" },
  S: { place: "reg", file: "segment" },
  C: { place: "reg", file: "control" },
  D: { place: "reg", file: "debug" },
  V: { place: "reg", file: "xmm" },
  W: { place: "rm", file: "xmm" },
  U: { place: "rmRegister", file: "xmm" },
  P: { place: "reg", file: "mmx" },
  Q: { place: "rm", file: "mmx" },
  N: { place: "rmRegister", file: "mmx" },
};

const FIXED: Record<string, Operand> = {
  AL: { place: "fixed", file: "general", width: 1, register: 0 },
  CL: { place: "fixed", file: "general", width: 1, register: 1 },
  AX: { place: "fixed", file: "general", width: 2, register: 0 },
  DX: { place: "fixed", file: "general", width: 2, register: 2 },
  rAX: { place: "fixed", file: "general", width: "v", register: 0 },
  ES: { place: "fixed", file: "segment", width: 2, register: 0 },
  CS: { place: "fixed", file: "segment", width: 2, register: 1 },
  SS: { place: "fixed", file: "segment", width: 2, register: 2 },
  DS: { place: "fixed", file: "segment", width: 2, register: 3 },
  FS: { place: "fixed", file: "segment", width: 2, register: 4 },
  GS: { place: "fixed", file: "segment", width: 2, register: 5 },
  STi: { place: "rmRegister", file: "x87", width: 10 },
  "1": { place: "one", file: "general", width: 1 },
};

function parseOperand(letters: string): Operand {
  const fixed = FIXED[letters];
  if (fixed !== undefined) return fixed;
  const prefix = PREFIXES[letters[0] ?? ""];
  const width = WIDTHS[letters.slice(1)];
  if (prefix === undefined || width === undefined) {
    throw new Error(`Operand "${letters}" is not one of the manual's letters`);
  }
  // Control and debug registers, and general registers beside them, are machine words.
  const word = prefix.file === "control" || prefix.file === "debug" || letters === "Ry";
  return { ...prefix, width: word ? "m" : width };
}

/** "Ev,Gv" to operands; an empty string has none. */
export function parseOperands(text: string): readonly Operand[] {
  return text === "" ? [] : text.split(",").map((letters) => parseOperand(letters.trim()));
}

/** Bytes of an operand at an effective operand size. */
export function widthOf(operand: Operand, operandSize: 2 | 4 | 8, long: boolean): number {
  switch (operand.width) {
    case "v":
      return operandSize;
    case "z":
      return Math.min(operandSize, 4);
    case "y":
      return operandSize === 8 ? 8 : 4;
    case "m":
      return long ? 8 : 4;
    case "far":
      return operandSize + 2;
    case "ibs":
      return operandSize;
    default:
      return operand.width;
  }
}

/** Bytes of an immediate as it is read: sign-extended ones are as wide as the operation. */
export function immediateWidth(operand: Operand, operandSize: 2 | 4 | 8, long: boolean): number {
  return operand.width === "z" ? operandSize : widthOf(operand, operandSize, long);
}
