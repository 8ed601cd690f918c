/** The Exit scope: the last #VMEXIT decoded. */
import { EXITS, exitOf } from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import { type ExitRecord, exitInfoInWords, exitReason, fieldsOf } from "../exit-log.ts";
import { hex } from "../text.ts";
import { branch, type VariableNode } from "../variables.ts";

export function exitVariables(debuggee: Debuggee, exit: ExitRecord): VariableNode[] {
  const entry = exitOf(exit.code) ?? EXITS.find((each) => each.name === "INVALID");
  const { kind: _, doc } = entry ?? { kind: "", doc: "" };
  const nodes: VariableNode[] = [
    { name: "reason", value: exitReason(exit), type: doc, evaluateName: "reason" },
    { name: "number", value: String(exit.number) },
    { name: "code", value: hex(exit.code) },
    { name: "exitinfo1", value: hex(exit.info1), evaluateName: "exitinfo1" },
    { name: "exitinfo2", value: hex(exit.info2), evaluateName: "exitinfo2" },
    { name: "in words", value: exitInfoInWords(exit) || doc },
    { name: "guest rip", value: hex(exit.guestRip) },
    { name: "vmcb", value: hex(exit.vmcb), memoryReference: `hpa:${hex(exit.vmcb)}` },
    { name: "icount", value: String(exit.icount) },
  ];
  const fields = Object.entries(fieldsOf(exit, debuggee.machine)).filter(
    ([name]) => !["reason", "code", "info1", "info2"].includes(name),
  );
  if (exitReason(exit) === "CPUID") {
    nodes.push({ name: "leaf", value: hex(BigInt.asUintN(32, exit.registers.get("rax") ?? 0n)) });
  }
  for (const [name, value] of fields) {
    const text =
      typeof value === "string" || typeof value === "boolean" ? String(value) : hex(value);
    nodes.push({ name, value: text, evaluateName: name });
  }
  const registers = [...exit.registers].map(([name, value]) => ({ name, value: hex(value) }));
  nodes.push({
    name: "guest registers",
    value: `at exit ${exit.number}`,
    children: branch(() => registers),
  });
  return nodes;
}
