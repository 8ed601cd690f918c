/** Instructions that do nothing to the state: NOP, hints, PAUSE, fences, CLFLUSH; and UD0. */

import { opcodeByte, type Row, row, type Semantics } from "./row.ts";

const nothing: Semantics = () => {};

/** 0F 19..1E: reserved for hints; AMD executes them as NOP with a ModRM operand that is not touched. */
const hints = [0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e].map((opcode) =>
  row("NOP", `0F ${opcodeByte(opcode)} /r`, "Ev", {}, nothing),
);

/** A fence ignores the low three bits of its ModRM byte. */
function fence(mnemonic: string, firstModrm: number, feature: "SSE" | "SSE2"): Row[] {
  return [0, 1, 2, 3, 4, 5, 6, 7].map((rm) =>
    row(mnemonic, `NP 0F AE ${opcodeByte(firstModrm + rm)}`, "", { feature }, nothing),
  );
}

export const NOP_ROWS: readonly Row[] = [
  row("PAUSE", "F3 90", "", { intercept: "PAUSE", interceptOrder: "interceptFirst" }, nothing),
  row("NOP", "90", "", {}, nothing),
  row("NOP", "0F 1F /r", "Ev", {}, nothing),
  row("PREFETCH", "0F 0D /r", "M", {}, nothing),
  row("PREFETCH", "0F 18 /r", "Ev", {}, nothing),
  ...hints,
  ...fence("LFENCE", 0xe8, "SSE2"),
  ...fence("MFENCE", 0xf0, "SSE2"),
  ...fence("SFENCE", 0xf8, "SSE"),
  // Caches are not modelled; the access is checked as a read of the byte.
  row("CLFLUSH", "NP 0F AE /7", "Mb", {}, (c) => void c.read(0)),
  row("UD0", "0F FF", "", {}, (c) => c.fault("UD")),
];
