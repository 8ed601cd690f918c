/** The SVM instructions (APM volume 3, system instructions). */

import type { Execution } from "../execution.ts";
import type { CpuState } from "../state/cpu-state.ts";
import type { InterceptName } from "../svm/intercepts.ts";
import { vmload, vmsave } from "../svm/vmload.ts";
import { vmrun } from "../svm/vmrun.ts";
import { GuestFault } from "../system/exceptions.ts";
import { EFER } from "../system/mode.ts";
import { complexRow, type Row, type RowOptions } from "./row.ts";

function needsSvme(state: CpuState): void {
  if ((state.efer & EFER.SVME) === 0n) throw new GuestFault("UD");
}

/** The conditions of all but VMMCALL: EFER.SVME and protected mode (#UD), then CPL 0 (#GP). */
const privileged = (intercept: InterceptName): RowOptions => ({
  feature: "SVM",
  protectedOnly: true,
  cpl0: true,
  exceptions: needsSvme,
  intercept,
  interceptOrder: "afterExceptions",
});

function setGif(x: Execution, gif: 0 | 1): void {
  x.cpu.state.gif = gif;
  x.cpu.recheckInterrupts();
}

export const SVM_ROWS: readonly Row[] = [
  complexRow("VMRUN", "0F 01 D8", "", privileged("VMRUN"), vmrun),
  // Intercepted or undefined: with EFER.SVME clear it cannot be in a guest.
  complexRow(
    "VMMCALL",
    "0F 01 D9",
    "",
    { feature: "SVM", intercept: "VMMCALL", interceptOrder: "interceptFirst" },
    (x) => x.fault("UD"),
  ),
  complexRow("VMLOAD", "0F 01 DA", "", privileged("VMLOAD"), vmload),
  complexRow("VMSAVE", "0F 01 DB", "", privileged("VMSAVE"), vmsave),
  complexRow("STGI", "0F 01 DC", "", privileged("STGI"), (x) => setGif(x, 1)),
  complexRow("CLGI", "0F 01 DD", "", privileged("CLGI"), (x) => setGif(x, 0)),
  // CPUID 8000_0001 ECX[12] (SKINIT) is 0: undefined in host and guest.
  complexRow("SKINIT", "0F 01 DE", "", { feature: "SVM" }, (x) => x.fault("UD")),
  complexRow("INVLPGA", "0F 01 DF", "", privileged("INVLPGA"), (x) => {
    const asid = Number(x.getRegister("rcx", 4));
    x.cpu.mmu.flushPage(x.getRegister("rax", x.addressSize), asid);
  }),
];
