/** MMX instructions, on the significands of the x87 registers (APM volume 5). */

import { complexRow, type Row } from "./row.ts";

const ALL_EMPTY = 0xffff;

export const MMX_ROWS: readonly Row[] = [
  // Linux runs EMMS before FXRSTOR on AMD's CPUs, whatever CPUID says of MMX.
  complexRow("EMMS", "NP 0F 77", "", { unit: "mmx" }, (x) => {
    x.cpu.state.ftw = ALL_EMPTY;
  }),
];
