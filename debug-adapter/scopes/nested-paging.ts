/** The Nested paging scope: the walk of the last nested page fault, and of where the guest is. */
import type { Translation, TranslationLevel } from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import { type ExitRecord, exitInfoInWords } from "../exit-log.ts";
import type { ShowNumber } from "../format.ts";
import { guestWalk, nestedWalk } from "../nested-walk.ts";
import { entryBits, entryText } from "../page-entry.ts";
import { codeBits, copiedRegisters, linearOf } from "../register-file.ts";
import { hex } from "../text.ts";
import { branch, type VariableNode } from "../variables.ts";
import type { VmcbCopy } from "../vmcb-history.ts";
import type { Scope } from "./view.ts";
import { wordNode } from "./words.ts";

const TABLE_WALK = 1n << 33n;
const FETCH = 1n << 4n;

export const nestedPagingScope: Scope = {
  name: "Nested paging",
  children: ({ debuggee }) => {
    const { vmcb } = debuggee.spaces;
    if (vmcb === undefined || (vmcb.read("NP_ENABLE") & 1n) === 0n) return undefined;
    return branch((show) => [
      {
        name: "nCR3",
        value: show(vmcb.read("nCR3")),
        memoryReference: `hpa:${hex(vmcb.read("nCR3") & ~0xfffn)}`,
        evaluateName: "vmcb.nCR3",
      },
      ...lastFault(debuggee, show),
      ...guestPlaces(debuggee),
    ]);
  },
};

function lastFault(debuggee: Debuggee, show: ShowNumber): VariableNode[] {
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
  if ((exit.info1 & (FETCH | TABLE_WALK)) === 0n) return rows;
  return [...rows, guestPart(debuggee, exit, left)];
}

/** The guest's own walk, where it is known what the guest translated: an instruction's address. */
function guestPart(debuggee: Debuggee, exit: ExitRecord, left: VmcbCopy): VariableNode {
  const { machine } = debuggee;
  const name = "guest's own walk";
  if ((exit.info1 & FETCH) === 0n) {
    const value = `an entry of the guest's tables lies at gpa ${hex(exit.info2)}`;
    return { name, value, memoryReference: `gpa:${hex(exit.info2)}` };
  }
  const linear = linearOf(copiedRegisters(left), exit.guestRip);
  return walkNode(name, guestWalk(machine, linear, left, { fetch: true }));
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
export function walkNode(name: string, walk: Translation): VariableNode {
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

export function entryNode(
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
