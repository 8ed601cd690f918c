/** The intercepts of the VMCB by name, a row each (APM volume 2, appendix B, table B-1, and appendix C). */

import type { CpuState } from "../state/cpu-state.ts";
import type { ExitKind } from "./exits.ts";

/** Words of the control area that hold intercepts. */
export type InterceptWord = "interceptMisc1" | "interceptMisc2";

interface Intercept {
  readonly word: InterceptWord;
  readonly bit: number;
  readonly exitCode: number;
  /** Of its exit. */
  readonly doc: string;
  readonly kind: ExitKind;
}

const misc1 = (
  bit: number,
  exitCode: number,
  doc: string,
  kind: ExitKind = "instruction",
): Intercept => ({ word: "interceptMisc1", bit, exitCode, doc, kind });

const misc2 = (bit: number, exitCode: number, doc: string): Intercept => ({
  ...misc1(bit, exitCode, doc),
  word: "interceptMisc2",
});

/** Intercepts of words 3 and 4 (VMCB offsets 00Ch and 010h): bit, and the exit they cause. */
export const INTERCEPTS = {
  INTR: misc1(0, 0x60, "Physical maskable interrupt; it stays pending", "event"),
  NMI: misc1(1, 0x61, "Physical non-maskable interrupt; it stays pending", "event"),
  SMI: misc1(2, 0x62, "System management interrupt", "event"),
  INIT: misc1(3, 0x63, "INIT signal", "event"),
  VINTR: misc1(4, 0x64, "A virtual interrupt could be taken; it stays pending", "event"),
  CR0_SEL_WRITE: misc1(5, 0x65, "Write of CR0 that changes more than TS and MP", "controlRegister"),
  IDTR_READ: misc1(6, 0x66, "SIDT"),
  GDTR_READ: misc1(7, 0x67, "SGDT"),
  LDTR_READ: misc1(8, 0x68, "SLDT"),
  TR_READ: misc1(9, 0x69, "STR"),
  IDTR_WRITE: misc1(10, 0x6a, "LIDT"),
  GDTR_WRITE: misc1(11, 0x6b, "LGDT"),
  LDTR_WRITE: misc1(12, 0x6c, "LLDT"),
  TR_WRITE: misc1(13, 0x6d, "LTR"),
  RDTSC: misc1(14, 0x6e, "RDTSC"),
  RDPMC: misc1(15, 0x6f, "RDPMC"),
  PUSHF: misc1(16, 0x70, "PUSHF"),
  POPF: misc1(17, 0x71, "POPF"),
  CPUID: misc1(18, 0x72, "CPUID"),
  RSM: misc1(19, 0x73, "RSM"),
  IRET: misc1(20, 0x74, "IRET"),
  INTn: misc1(21, 0x75, "INT imm8; INT3 is EXCP_BP"),
  INVD: misc1(22, 0x76, "INVD"),
  PAUSE: misc1(23, 0x77, "PAUSE, after the filter count"),
  HLT: misc1(24, 0x78, "HLT"),
  INVLPG: misc1(25, 0x79, "INVLPG"),
  INVLPGA: misc1(26, 0x7a, "INVLPGA"),
  IOIO: misc1(27, 0x7b, "I/O port access that the permission map intercepts", "io"),
  MSR: misc1(28, 0x7c, "RDMSR or WRMSR that the permission map intercepts", "msr"),
  TASK_SWITCH: misc1(29, 0x7d, "Task switch", "taskSwitch"),
  FERR_FREEZE: misc1(30, 0x7e, "x87 error with IGNNE clear (legacy FERR)", "event"),
  SHUTDOWN: misc1(31, 0x7f, "Triple fault", "event"),
  VMRUN: misc2(0, 0x80, "VMRUN"),
  VMMCALL: misc2(1, 0x81, "VMMCALL: a call to the hypervisor"),
  VMLOAD: misc2(2, 0x82, "VMLOAD"),
  VMSAVE: misc2(3, 0x83, "VMSAVE"),
  STGI: misc2(4, 0x84, "STGI"),
  CLGI: misc2(5, 0x85, "CLGI"),
  SKINIT: misc2(6, 0x86, "SKINIT"),
  RDTSCP: misc2(7, 0x87, "RDTSCP"),
  ICEBP: misc2(8, 0x88, "ICEBP (opcode F1)"),
  WBINVD: misc2(9, 0x89, "WBINVD"),
  MONITOR: misc2(10, 0x8a, "MONITOR"),
  MWAIT: misc2(11, 0x8b, "MWAIT"),
  MWAIT_CONDITIONAL: misc2(12, 0x8c, "MWAIT with the monitor armed"),
  XSETBV: misc2(13, 0x8d, "XSETBV"),
} as const satisfies Record<string, Intercept>;

export type InterceptName = keyof typeof INTERCEPTS;

/** Whether the CPU is in a guest whose VMCB intercepts this. */
export function isIntercepted(state: CpuState, name: InterceptName): boolean {
  const { word, bit } = INTERCEPTS[name];
  return state.guestMode !== 0 && ((state[word] >>> bit) & 1) !== 0;
}
