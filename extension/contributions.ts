/** Every id that package.json contributes and code refers to; a test compares the two. */

/** Type of our launch configurations. */
export const DEBUG_TYPE = "minvisor";

/** Language of GNU assembler sources (.S, .s). */
export const ASSEMBLY_LANGUAGE = "gnu-x86-asm";
/** Language of invariants (.inv). */
export const INVARIANT_LANGUAGE = "inv";

/** Command ids, by what each does. */
export const COMMANDS = {
  debugSample: "minvisor.debugSample",
  openSampleWorkspace: "minvisor.openSampleWorkspace",
  showGuestConsole: "minvisor.showGuestConsole",
  addEventBreakpoint: "minvisor.addEventBreakpoint",
  clearEventBreakpoints: "minvisor.clearEventBreakpoints",
  editEventCondition: "minvisor.editEventCondition",
  editEventHitCount: "minvisor.editEventHitCount",
  editEventLogMessage: "minvisor.editEventLogMessage",
  removeEventBreakpoint: "minvisor.removeEventBreakpoint",
  viewMemory: "minvisor.viewMemory",
  openDisassembly: "minvisor.openDisassembly",
  translateAddress: "minvisor.translateAddress",
  findMappings: "minvisor.findMappings",
  toggleHexadecimal: "minvisor.toggleHexadecimal",
  chooseStepPolicy: "minvisor.chooseStepPolicy",
  stepBackOver: "minvisor.stepBackOver",
  stepBackInto: "minvisor.stepBackInto",
  stepBackOut: "minvisor.stepBackOut",
  goToPreviousExit: "minvisor.goToPreviousExit",
  goToExit: "minvisor.goToExit",
  goToInstructionCount: "minvisor.goToInstructionCount",
  goToBeginning: "minvisor.goToBeginning",
  goToEnd: "minvisor.goToEnd",
  saveRecording: "minvisor.saveRecording",
  debugRecording: "minvisor.debugRecording",
  goToConsoleText: "minvisor.goToConsoleText",
  goToCondition: "minvisor.goToCondition",
  showHistory: "minvisor.showHistory",
  whyExit: "minvisor.whyExit",
  goToFuture: "minvisor.goToFuture",
  compareFutures: "minvisor.compareFutures",
  goToInvariant: "minvisor.goToInvariant",
  goToFirstViolation: "minvisor.goToFirstViolation",
  runBackToCulprit: "minvisor.runBackToCulprit",
  checkWholeRun: "minvisor.checkWholeRun",
  showAcl2Form: "minvisor.showAcl2Form",
  stopAtViolations: "minvisor.stopAtViolations",
  logViolations: "minvisor.logViolations",
  ignoreInvariant: "minvisor.ignoreInvariant",
} as const;
export type CommandId = (typeof COMMANDS)[keyof typeof COMMANDS];

/** Views in the debug sidebar. */
export const VIEWS = {
  exitBreakpoints: "minvisor.exitBreakpoints",
  exits: "minvisor.exits",
  invariants: "minvisor.invariants",
} as const;

/** Editors of files that are no texts. */
export const EDITORS = { recording: "minvisor.recording" } as const;

/** What rows of our views are, for the menus' conditions. */
export const ROW_CONTEXTS = {
  exit: "minvisor.exit",
  addedEvent: "minvisor.addedEvent",
  invariant: "minvisor.invariant",
  violatedInvariant: "minvisor.violatedInvariant",
} as const;

/** Keys of ours in conditions. */
export const CONTEXT_KEYS = { isInPast: "minvisor.isInPast" } as const;

/** Shown as the source of our diagnostics. */
export const DIAGNOSTIC_SOURCE = "minvisor";
