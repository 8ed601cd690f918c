/** The Exit scope: the last #VMEXIT decoded, with what caused it and what the guest was doing. */
import {
  type BitFields,
  describeEvent,
  EXITS,
  type ExitKind,
  exitOf,
  isValidEvent,
  type Machine,
  VMCB_FIELDS,
} from "../../emulator/index.ts";
import { formatReference } from "../addresses/memory-reference.ts";
import { entryBits } from "../addresses/page-entry.ts";
import type { Debuggee } from "../debuggee.ts";
import { type Cause, exitCauses } from "../exits/exit-cause.ts";
import { type ExitRecord, exitInfoInWords, exitReason, fieldsOf } from "../exits/exit-log.ts";
import { guestInstruction } from "../exits/guest-instruction.ts";
import type { VmcbCopy } from "../exits/vmcb-history.ts";
import type { ShowNumber } from "../format.ts";
import { hex } from "../text.ts";
import { branch, type VariableNode } from "../variables.ts";
import { guestSource } from "./code-source.ts";
import type { Scope, ScopeView } from "./view.ts";
import { bitNodes, wordNode } from "./words.ts";

export const exitScope: Scope = {
  name: "Exit",
  children: (view) => {
    const exit = view.debuggee.exits.last;
    return exit && branch((show) => exitVariables(view, exit, show));
  },
};

/** Where APM volume 2 tells of exits of a kind. */
const SECTIONS: Readonly<Record<ExitKind, string>> = {
  controlRegister: "15.8",
  debugRegister: "15.8",
  instruction: "15.9",
  io: "15.10",
  msr: "15.11",
  exception: "15.12",
  event: "15.13",
  taskSwitch: "15.14.1",
  nestedPageFault: "15.25.6",
  invalid: "15.5.1",
};

const GENERAL: BitFields = { GPR: [3, 0], MOV: 63 };
/** Parts of EXITINFO1, by the exit's kind. */
const INFO1: { readonly [K in ExitKind]?: BitFields } = {
  nestedPageFault: { P: 0, RW: 1, US: 2, RSV: 3, ID: 4, final: 32, tableWalk: 33 },
  io: {
    ...{ TYPE: 0, STR: 2, REP: 3, SZ8: 4, SZ16: 5, SZ32: 6, A16: 7, A32: 8, A64: 9 },
    ...{ SEG: [12, 10], PORT: [31, 16] },
  },
  controlRegister: GENERAL,
  debugRegister: { GPR: [3, 0] },
  taskSwitch: { selector: [15, 0] },
};
const PAGE_FAULT: BitFields = { P: 0, "R/W": 1, "U/S": 2, RSV: 3, "I/D": 4 };
const INFO2: { readonly [K in ExitKind]?: BitFields } = {
  taskSwitch: { errorCode: [31, 0], IRET: 36, JMP: 38, errorCodeValid: 44, RF: 48 },
};

/** The exit as a line: "Nested page fault (APM volume 2, section 15.25.6)". */
export function exitDescription(exit: ExitRecord): string {
  const entry = exitOf(exit.code) ?? EXITS.find((each) => each.name === "INVALID");
  if (entry === undefined) return "";
  const section = entry.name === "SHUTDOWN" ? "15.14.3" : SECTIONS[entry.kind];
  return `${entry.doc} (APM volume 2, section ${section})`;
}

/** The VMCB as the exit left it: its copy, or what it holds now. */
export function vmcbAtExit(debuggee: Debuggee, exit: ExitRecord): VmcbCopy | undefined {
  return debuggee.exits.history.atExit(exit.vmcb) ?? debuggee.spaces.vmcb;
}

function exitVariables(view: ScopeView, exit: ExitRecord, show: ShowNumber): VariableNode[] {
  const { debuggee } = view;
  const vmcb = vmcbAtExit(debuggee, exit);
  return [
    {
      name: "reason",
      value: exitReason(exit),
      type: exitDescription(exit),
      evaluateName: "reason",
    },
    { name: "description", value: exitDescription(exit) },
    { name: "in words", value: exitInfoInWords(exit) || exitDescription(exit) },
    ...(vmcb === undefined ? [] : causeNodes(debuggee.machine, exit, vmcb)),
    ...(vmcb === undefined ? [] : instructionNodes(view, exit, vmcb, show)),
    ...infoNodes(exit, show),
    ...fieldNodes(debuggee, exit, show),
    ...(vmcb === undefined ? [] : eventNodes(debuggee, exit, vmcb)),
    { name: "number", value: String(exit.number), evaluateName: "number" },
    { name: "vmcb", value: show(exit.vmcb), memoryReference: `hpa:${hex(exit.vmcb)}` },
    { name: "icount", value: String(exit.icount) },
    {
      name: "guest registers",
      value: `at exit ${exit.number}`,
      children: branch((numbers) =>
        [...exit.registers].map(([name, value]) => ({ name, value: numbers(value) })),
      ),
    },
    countsNode(debuggee),
  ];
}

function causeNodes(machine: Machine, exit: ExitRecord, vmcb: VmcbCopy): VariableNode[] {
  const causes = exitCauses(machine, exit, vmcb);
  const last = causes.at(-1);
  if (last === undefined) return [];
  const children = causes.map((cause) => causeNode(cause, cause.name));
  return [{ ...causeNode(last, "cause"), children: branch(() => children) }];
}

function causeNode({ text, address, entry }: Cause, name: string): VariableNode {
  const bits = (show: ShowNumber) =>
    entry === undefined
      ? []
      : bitNodes({ name: "entry", value: entry.value }, entryBits(entry), show);
  return {
    name,
    value: text,
    ...(address === undefined ? {} : { memoryReference: `hpa:${hex(address)}` }),
    ...(entry === undefined ? {} : { children: branch(bits) }),
  };
}

function instructionNodes(
  { debuggee, disassembler }: ScopeView,
  exit: ExitRecord,
  vmcb: VmcbCopy,
  show: ShowNumber,
): VariableNode[] {
  const { machine, spaces } = debuggee;
  const { linear, text, next } = guestInstruction(machine, disassembler, exit, vmcb);
  const space = spaces.guest === undefined ? undefined : spaces.resolve({ kind: "gva" });
  const reference = space && { memoryReference: formatReference({ space, address: linear }) };
  const source = guestSource(debuggee, linear);
  const target = source && { target: source };
  const saved = vmcb.read("nRIP");
  const after = saved === 0n ? next : saved;
  return [
    { name: "guest rip", value: show(exit.guestRip), ...reference, ...target },
    { name: "guest instruction", value: text ?? "cannot be read", ...reference, ...target },
    ...(after === undefined ? [] : [{ name: "next rip", value: show(after) }]),
  ];
}

function infoNodes(exit: ExitRecord, show: ShowNumber): VariableNode[] {
  const entry = exitOf(exit.code);
  const bits = entry && (entry.name === "EXCP_PF" ? PAGE_FAULT : INFO1[entry.kind]);
  const refer = (field: "EXITCODE" | "EXITINFO1" | "EXITINFO2") =>
    `hpa:${hex(exit.vmcb + VMCB_FIELDS[field].offset)}`;
  return [
    {
      name: "code",
      value: show(exit.code),
      evaluateName: "code",
      memoryReference: refer("EXITCODE"),
    },
    wordNode({ name: "exitinfo1", value: exit.info1, bits }, show, {
      evaluateName: "exitinfo1",
      memoryReference: refer("EXITINFO1"),
    }),
    wordNode({ name: "exitinfo2", value: exit.info2, bits: entry && INFO2[entry.kind] }, show, {
      evaluateName: "exitinfo2",
      memoryReference: refer("EXITINFO2"),
    }),
  ];
}

const SHOWN_OTHERWISE: ReadonlySet<string> = new Set([
  ...["reason", "code", "info1", "info2", "nextRip", "eventType", "eventVector"],
]);

/** Bytes and bits, which nobody counts in hexadecimal. */
const SIZES: ReadonlySet<string> = new Set(["size", "addressSize"]);

function fieldNodes(debuggee: Debuggee, exit: ExitRecord, show: ShowNumber): VariableNode[] {
  const nodes: VariableNode[] = [];
  if (exitReason(exit) === "CPUID") {
    const leaf = BigInt.asUintN(32, exit.registers.get("rax") ?? 0n);
    nodes.push({ name: "leaf", value: show(leaf), evaluateName: "leaf" });
  }
  for (const [name, value] of Object.entries(fieldsOf(exit, debuggee.machine))) {
    if (SHOWN_OTHERWISE.has(name)) continue;
    const isWord = typeof value === "string" || typeof value === "boolean";
    const reference = name === "gpa" ? { memoryReference: `gpa:${hex(exit.info2)}` } : {};
    nodes.push({
      name,
      value: isWord || SIZES.has(name) ? String(value) : show(value),
      evaluateName: name,
      ...reference,
    });
  }
  return nodes;
}

/** What VMRUN injected, and the event whose delivery the exit cut short. */
function eventNodes(debuggee: Debuggee, exit: ExitRecord, vmcb: VmcbCopy): VariableNode[] {
  const entered = debuggee.exits.history.atVmrun(exit.vmcb);
  const injected = entered?.read("EVENTINJ") ?? 0n;
  const interrupted = vmcb.read("EXITINTINFO");
  const at = (field: "EVENTINJ" | "EXITINTINFO") => ({
    memoryReference: `hpa:${hex(exit.vmcb + VMCB_FIELDS[field].offset)}`,
    evaluateName: `vmcb.${field}`,
  });
  return [
    { name: "injected event", value: eventText(injected, vmcb), ...at("EVENTINJ") },
    {
      name: "interrupted delivery",
      value: eventText(interrupted, vmcb),
      ...at("EXITINTINFO"),
    },
  ];
}

const PAGE_FAULT_VECTOR = 14n;
const EXCEPTION_TYPE = 3n;

/** "exception #PF error 0x6 at 0x1000"; CR2 is what the VMCB holds. */
export function eventText(event: bigint, vmcb: VmcbCopy): string {
  const isPageFault =
    isValidEvent(event) &&
    ((event >> 8n) & 7n) === EXCEPTION_TYPE &&
    (event & 0xffn) === PAGE_FAULT_VECTOR;
  return `${describeEvent(event)}${isPageFault ? ` at ${hex(vmcb.read("CR2"))}` : ""}`;
}

function countsNode({ exits }: Debuggee): VariableNode {
  return {
    name: "exits so far",
    value: String(exits.total),
    children: branch(() =>
      [...exits.counts]
        .sort(([a, many], [b, few]) => few - many || (a < b ? -1 : 1))
        .map(([name, count]) => ({ name, value: String(count) })),
    ),
  };
}
