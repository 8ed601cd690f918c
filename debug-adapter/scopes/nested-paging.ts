/** The Nested paging scope: the walk of the last nested page fault, and of where the guest is. */
import type { Translation, TranslationLevel } from "../../emulator/index.ts";
import { entryBits, entryText } from "../addresses/page-entry.ts";
import type { Debuggee } from "../debuggee.ts";
import { type ExitRecord, exitInfoInWords } from "../exits/exit-log.ts";
import { guestInstruction } from "../exits/guest-instruction.ts";
import { operandAddresses } from "../exits/guest-operands.ts";
import { guestWalk, nestedWalk } from "../exits/nested-walk.ts";
import type { VmcbCopy } from "../exits/vmcb-history.ts";
import type { ShowNumber } from "../format.ts";
import { codeBits, linearOf } from "../register-file.ts";
import { hex } from "../text.ts";
import { branch, type VariableNode } from "../variables.ts";
import type { Scope, ScopeView } from "./view.ts";
import { wordNode } from "./words.ts";

const TABLE_WALK = 1n << 33n;
const FETCH = 1n << 4n;

export const nestedPagingScope: Scope = {
  name: "Nested paging",
  children: (view) => {
    const { debuggee } = view;
    const { vmcb } = debuggee.spaces;
    if (vmcb === undefined || (vmcb.read("NP_ENABLE") & 1n) === 0n) return undefined;
    return branch((show) => [
      {
        name: "nCR3",
        value: show(vmcb.read("nCR3")),
        memoryReference: `hpa:${hex(vmcb.read("nCR3") & ~0xfffn)}`,
        evaluateName: "vmcb.nCR3",
      },
      ...lastFault(view, show),
      ...guestPlaces(debuggee),
    ]);
  },
};

function lastFault(view: ScopeView, show: ShowNumber): VariableNode[] {
  const { debuggee } = view;
  const exit = debuggee.exits.lastNestedFault;
  const left = exit && debuggee.exits.history.atExit(exit.vmcb);
  if (exit === undefined || left === undefined) return [];
  const walk = nestedWalk(debuggee.machine, exit, left);
  const rows: VariableNode[] = [
    {
      name: "last fault",
      value: `exit ${exit.number}: ${exitInfoInWords(exit)}`,
    },
    walkNode(`walk of gpa ${show(exit.info2)}`, walk),
  ];
  return [...rows, ...guestPart(view, exit, left)];
}

/**
 * The guest's own walk, where it is known what the guest translated: its instruction, or an operand
 * whose walk leads to the address of the fault.
 */
function guestPart(
  { debuggee, disassembler }: ScopeView,
  exit: ExitRecord,
  left: VmcbCopy,
): VariableNode[] {
  const { machine } = debuggee;
  const { linear, text = "" } = guestInstruction(machine, disassembler, exit, left);
  const isFetch = (exit.info1 & FETCH) !== 0n;
  const candidates = isFetch ? [linear] : operandAddresses(text, exit, left);
  for (const address of candidates) {
    const walk = guestWalk(machine, address, left, isFetch ? { fetch: true } : undefined);
    const reached = walk.kind === "page" ? (walk.guestPhysical ?? address) : walk.address;
    if (reached === exit.info2) return [walkNode(`guest's walk of gva ${hex(address)}`, walk)];
  }
  if ((exit.info1 & TABLE_WALK) === 0n) return [];
  const value = `an entry of the guest's tables lies at gpa ${hex(exit.info2)}`;
  return [{ name: "guest's own walk", value, memoryReference: `gpa:${hex(exit.info2)}` }];
}

/** Both stages for the guest's code and stack as they are now. */
function guestPlaces(debuggee: Debuggee): VariableNode[] {
  const registers = debuggee.registers("guest");
  if (registers === undefined) return [];
  return (["rip", "rsp"] as const).flatMap((name) => {
    const value = registers.get(name);
    if (value === undefined) return [];
    const base = codeBits(registers) === 64 ? 0n : (registers.segment("ss")?.base ?? 0n);
    const address = name === "rip" ? linearOf(registers, value) : value + base;
    const space = debuggee.spaces.resolve({ kind: "gva" });
    return [walkNode(`walk of guest ${name}`, debuggee.spaces.translate({ space, address }))];
  });
}

const ending = (walk: Translation): string =>
  walk.kind === "page" ? `hpa ${hex(walk.physical)}` : walk.reason;

/** A walk with an entry a child, in the order in which the CPU reads them. */
function walkNode(name: string, walk: Translation): VariableNode {
  const { levels } = walk;
  const culprit = walk.kind === "fault" ? walk.culprit : undefined;
  return {
    name,
    value: ending(walk),
    ...(walk.kind === "page" ? { memoryReference: `hpa:${hex(walk.physical)}` } : {}),
    ...(levels.length === 0
      ? {}
      : {
          children: branch((show) =>
            levels.map((level, i) => entryNode(level, i, i === culprit, show)),
          ),
        }),
  };
}

function entryNode(
  level: TranslationLevel,
  position: number,
  isCulprit: boolean,
  show: ShowNumber,
): VariableNode {
  const stage = level.stage === "nested" ? "nested " : "";
  return wordNode(
    {
      name: `${position + 1} ${stage}${level.entry}[${level.index}]`,
      value: level.value,
      bits: entryBits(level),
      words: () => `${entryText(level)}${isCulprit ? "; refuses the access" : ""}`,
    },
    show,
    { memoryReference: `hpa:${hex(level.address)}`, type: `at hpa:${hex(level.address)}` },
  );
}
