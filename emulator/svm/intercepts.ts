/** The intercept bits of the VMCB by name (APM volume 2, appendix B, table B-1). */

import type { CpuState } from "../state/cpu-state.ts";

/** Words of the control area that hold intercepts. */
export type InterceptWord = "interceptMisc1" | "interceptMisc2";

const misc1 = (bit: number, exitCode: number) =>
  ({ word: "interceptMisc1", bit, exitCode }) as const;
const misc2 = (bit: number, exitCode: number) =>
  ({ word: "interceptMisc2", bit, exitCode }) as const;

/** Intercepts of words 3 and 4 (VMCB offsets 00Ch and 010h): bit, and the exit they cause. */
export const INTERCEPTS = {
  INTR: misc1(0, 0x60),
  NMI: misc1(1, 0x61),
  SMI: misc1(2, 0x62),
  INIT: misc1(3, 0x63),
  VINTR: misc1(4, 0x64),
  CR0_SEL_WRITE: misc1(5, 0x65),
  IDTR_READ: misc1(6, 0x66),
  GDTR_READ: misc1(7, 0x67),
  LDTR_READ: misc1(8, 0x68),
  TR_READ: misc1(9, 0x69),
  IDTR_WRITE: misc1(10, 0x6a),
  GDTR_WRITE: misc1(11, 0x6b),
  LDTR_WRITE: misc1(12, 0x6c),
  TR_WRITE: misc1(13, 0x6d),
  RDTSC: misc1(14, 0x6e),
  RDPMC: misc1(15, 0x6f),
  PUSHF: misc1(16, 0x70),
  POPF: misc1(17, 0x71),
  CPUID: misc1(18, 0x72),
  RSM: misc1(19, 0x73),
  IRET: misc1(20, 0x74),
  INTn: misc1(21, 0x75),
  INVD: misc1(22, 0x76),
  PAUSE: misc1(23, 0x77),
  HLT: misc1(24, 0x78),
  INVLPG: misc1(25, 0x79),
  INVLPGA: misc1(26, 0x7a),
  IOIO: misc1(27, 0x7b),
  MSR: misc1(28, 0x7c),
  TASK_SWITCH: misc1(29, 0x7d),
  FERR_FREEZE: misc1(30, 0x7e),
  SHUTDOWN: misc1(31, 0x7f),
  VMRUN: misc2(0, 0x80),
  VMMCALL: misc2(1, 0x81),
  VMLOAD: misc2(2, 0x82),
  VMSAVE: misc2(3, 0x83),
  STGI: misc2(4, 0x84),
  CLGI: misc2(5, 0x85),
  SKINIT: misc2(6, 0x86),
  RDTSCP: misc2(7, 0x87),
  ICEBP: misc2(8, 0x88),
  WBINVD: misc2(9, 0x89),
  MONITOR: misc2(10, 0x8a),
  MWAIT: misc2(11, 0x8b),
  MWAIT_CONDITIONAL: misc2(12, 0x8c),
  XSETBV: misc2(13, 0x8d),
} as const satisfies Record<string, { word: InterceptWord; bit: number; exitCode: number }>;

export type InterceptName = keyof typeof INTERCEPTS;

/** Whether the CPU is in a guest whose VMCB intercepts this. */
export function isIntercepted(state: CpuState, name: InterceptName): boolean {
  const { word, bit } = INTERCEPTS[name];
  return state.guestMode !== 0 && ((state[word] >>> bit) & 1) !== 0;
}
