/** Every id that package.json contributes and code refers to; a test compares the two. */

/** Type of our launch configurations. */
export const DEBUG_TYPE = "minvisor";

/** Language of GNU assembler sources (.S, .s). */
export const ASSEMBLY_LANGUAGE = "gnu-x86-asm";

/** Command ids, by what each does. */
export const COMMANDS = {
  debugSample: "minvisor.debugSample",
  openSampleWorkspace: "minvisor.openSampleWorkspace",
  showGuestConsole: "minvisor.showGuestConsole",
} as const;
export type CommandId = (typeof COMMANDS)[keyof typeof COMMANDS];

/** Shown as the source of our diagnostics. */
export const DIAGNOSTIC_SOURCE = "minvisor";
