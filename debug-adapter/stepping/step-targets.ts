/** What a step into may enter from here: calls of the line, the guest, exit and interrupt handlers. */
import { interruptPossible, LONGEST_INSTRUCTION, VmcbView } from "../../emulator/index.ts";
import type { Debuggee } from "../debuggee.ts";
import type { DecodedInstruction, Disassembler } from "../services.ts";
import { hex } from "../text.ts";
import type { Crossing } from "./crossing.ts";
import { StepLines } from "./step-lines.ts";

export interface StepTarget {
  readonly label: string;
  /** Of the call, as debug information counts. */
  readonly line?: number;
  readonly enters: { readonly call: bigint } | { readonly crossing: Crossing };
}

/** How far a line is looked through for calls. */
const MOST_INSTRUCTIONS = 200;

/** The targets at the place where the CPU is; the same ones as long as it stands there. */
export function stepTargets(debuggee: Debuggee, disassembler: Disassembler): StepTarget[] {
  const instructions = lineInstructions(debuggee, disassembler);
  const targets = instructions.flatMap(({ address, instruction, line }): StepTarget[] => {
    if (instruction.flow !== "call" || instruction.mnemonic !== "call") return [];
    const { target } = instruction;
    const name = target === undefined ? undefined : debuggee.images.nameOf(debuggee.world, target);
    const label = name ?? (target === undefined ? instruction.text : hex(target));
    return [{ label, ...(line === undefined ? {} : { line }), enters: { call: address } }];
  });
  if (debuggee.world === "guest") {
    targets.push({ label: "to the next exit's handler", enters: { crossing: "toExit" } });
  } else if (instructions.some(({ instruction }) => instruction.mnemonic === "vmrun")) {
    const into = `into the guest${guestAddress(debuggee, instructions[0]?.instruction)}`;
    targets.push({ label: into, enters: { crossing: "intoGuest" } });
    targets.push({ label: "to the next exit's handler", enters: { crossing: "toExit" } });
  }
  const isPending = interruptPossible(debuggee.machine.cpu);
  const handler = isPending
    ? "into the handler of the interrupt that is pending"
    : "into the next interrupt or exception handler";
  targets.push({ label: handler, enters: { crossing: "intoHandler" } });
  return targets;
}

/** " at 0x7c00", where the VMRUN is what runs next: then RAX says with which VMCB. */
function guestAddress(debuggee: Debuggee, next: DecodedInstruction | undefined): string {
  if (next?.mnemonic !== "vmrun") return "";
  const { state, memory } = debuggee.machine;
  const vmcb = new VmcbView(memory, Number(state.rax));
  return ` at ${hex(vmcb.read("CS").base + vmcb.read("RIP"))}`;
}

interface LineInstruction {
  readonly address: bigint;
  readonly instruction: DecodedInstruction;
  readonly line: number | undefined;
}

/** From the next instruction to the end of its line; without source that instruction alone. */
function lineInstructions(debuggee: Debuggee, disassembler: Disassembler): LineInstruction[] {
  const lines = new StepLines(debuggee, debuggee.world, undefined);
  const start = debuggee.linearRip;
  const first = lines.at(start);
  const count = first === undefined ? 1 : MOST_INSTRUCTIONS;
  const bytes = debuggee.readLinear(debuggee.world, start, count * LONGEST_INSTRUCTION);
  const found: LineInstruction[] = [];
  let address = start;
  for (const instruction of disassembler.decode(bytes, start, debuggee.codeBits, count)) {
    const here = lines.at(address);
    if (here?.line !== first?.line || here?.path !== first?.path) break;
    found.push({ address, instruction, line: here?.line });
    address += BigInt(instruction.length);
  }
  return found;
}
