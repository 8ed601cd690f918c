/** Who did what a hit of a data breakpoint tells of: an instruction, VMRUN among them, or an exit. */
import type { Debuggee } from "../debuggee.ts";
import { exitTitle } from "../exits/exit-log.ts";
import type { World } from "../register-file.ts";
import { hex } from "../text.ts";
import type { Hit } from "./breakpoint.ts";

export interface Writer {
  /** For the user. */
  readonly name: string;
  readonly world: World;
  /** Linear address of the instruction; undefined of an exit. */
  readonly address?: bigint;
}

/** 0F 01 D8; the host's saved rip is behind it. */
const VMRUN_LENGTH = 3n;

/** While the machine stands at the hit's event. */
export function writerOf(debuggee: Debuggee, hit: Hit): Writer {
  if (hit.by === "exit") return exitAsWriter(debuggee);
  if (hit.by === undefined) {
    return instruction(debuggee, debuggee.world, hit.rip ?? debuggee.linearRip);
  }
  const behind = debuggee.registers("host")?.get("rip") ?? 0n;
  return instruction(debuggee, "host", behind - VMRUN_LENGTH);
}

/** The last exit. */
export function exitAsWriter({ exits, machine }: Debuggee): Writer {
  return {
    name: exits.last === undefined ? "#VMEXIT" : exitTitle(exits.last, machine),
    world: "host",
  };
}

/** "the host's instruction at 0x10001234 <exit_npf+0x12> at exit_npf.c:40". */
function instruction({ images }: Debuggee, world: World, address: bigint): Writer {
  const symbol = images.nameOf(world, address);
  const source = images.sourceAt(world, address);
  const file = source?.path.split(/[\\/]/).at(-1);
  const where = source === undefined ? "" : ` at ${file}:${source.line}`;
  const named = symbol === undefined ? "" : ` <${symbol}>`;
  return { name: `the ${world}'s instruction at ${hex(address)}${named}${where}`, world, address };
}
