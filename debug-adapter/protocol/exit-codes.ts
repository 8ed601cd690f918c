/** Every exit by the group that it is shown in: a table that the extension has in its own bundle too. */
import { EXITS, type Exit } from "../../emulator/svm/exits.ts";
import type { ExitCode } from "../protocol.ts";

const GROUPS: Record<Exit["kind"], string> = {
  controlRegister: "Control registers",
  debugRegister: "Debug registers",
  exception: "Exceptions",
  event: "Events",
  instruction: "Instructions",
  io: "I/O ports",
  msr: "MSRs",
  taskSwitch: "Task switches",
  nestedPageFault: "Nested paging",
  invalid: "Refused VMRUN",
};

export const EXIT_CODES: readonly ExitCode[] = EXITS.map(({ name, code, kind, doc }) => ({
  name,
  code,
  group: GROUPS[kind],
  doc,
}));
