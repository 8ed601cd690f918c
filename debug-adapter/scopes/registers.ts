/** The scopes "Guest registers" and "Host registers" of every frame. */
import { GENERAL_REGISTERS } from "../../emulator/index.ts";
import { formatReference } from "../addresses/memory-reference.ts";
import type { ShowNumber } from "../format.ts";
import { spaceOf } from "../names.ts";
import { writePlace } from "../place-access.ts";
import type { World } from "../register-file.ts";
import type { ValuePlace } from "../value-place.ts";
import { branch, type VariableNode } from "../variables.ts";
import { codeSource } from "./code-source.ts";
import { evaluateName, missing, type RegisterView, registerWord } from "./register-view.ts";
import { segmentNode } from "./segments.ts";
import { mmxAndX87, sseRegisters } from "./vector-registers.ts";
import type { Scope, ScopeView } from "./view.ts";
import { bitNodes, wordNode } from "./words.ts";

/** Registers that can hold a virtual address. */
const POINTERS: ReadonlySet<string> = new Set([
  ...[...GENERAL_REGISTERS, "rip", "cr2", "dr0", "dr1", "dr2", "dr3"],
]);
const SEGMENTS = ["cs", "ss", "ds", "es", "fs", "gs", "gdtr", "idtr", "ldtr", "tr"] as const;
const CONTROL = ["cr0", "cr2", "cr3", "cr4", "efer"] as const;
const DEBUG = ["dr0", "dr1", "dr2", "dr3", "dr6", "dr7"] as const;

export const registerScope = (world: World): Scope => ({
  name: world === "guest" ? "Guest registers" : "Host registers",
  hint: "registers",
  children: (view) => {
    const shown = registerView(view, world);
    return shown && branch((show) => [...generalRegisters(shown, show), ...groups(shown)]);
  },
});

function registerView(view: ScopeView, world: World): RegisterView | undefined {
  const { debuggee, frame } = view;
  const isOwn = frame.kind === "code" && frame.world === world;
  const registers = isOwn ? frame.registers : debuggee.registers(world);
  if (registers === undefined) return undefined;
  const space = spaceOf(debuggee, world);
  return {
    view,
    world,
    registers,
    isInnermost: !isOwn || frame.depth === 0,
    refer: (address) => space && formatReference({ space, address }),
  };
}

function groups(shown: RegisterView): VariableNode[] {
  const group = (name: string, value: string, list: (show: ShowNumber) => VariableNode[]) => ({
    name,
    value,
    children: branch(list),
  });
  return [
    group("flags", "RFLAGS by bit", (show) => flags(shown, show)),
    group("segments", "with descriptor caches", (show) => segments(shown, show)),
    group("control", "CR0 to CR4, EFER", (show) => named(shown, CONTROL, show)),
    group("debug", "DR0 to DR7", (show) => named(shown, DEBUG, show)),
    group("x87", "x87 and MMX", (show) => mmxAndX87(shown, show)),
    group("sse", "XMM0 to XMM15, MXCSR", (show) => sseRegisters(shown, show)),
  ];
}

function generalRegisters(shown: RegisterView, show: ShowNumber): VariableNode[] {
  return named(shown, [...GENERAL_REGISTERS, "rip", "rflags"], show);
}

function named(shown: RegisterView, names: readonly string[], show: ShowNumber): VariableNode[] {
  return names.map((name) => registerNode(shown, name, show));
}

/** The memory that a register's value names: CR3 has a physical address of its world. */
function referenceOf(
  { refer, world, view }: RegisterView,
  name: string,
  value: bigint,
): string | undefined {
  if (POINTERS.has(name)) return refer(value);
  if (name !== "cr3") return undefined;
  const space = view.debuggee.spaces.resolve({ kind: world === "host" ? "hpa" : "gpa" });
  return formatReference({ space, address: value & ~0xfffn });
}

function registerNode(shown: RegisterView, name: string, show: ShowNumber): VariableNode {
  const word = registerWord(shown, name);
  if (word === undefined) return { name, value: missing(shown) };
  const { world, view } = shown;
  const reference = referenceOf(shown, name, word.value);
  const target = name === "rip" ? codeSource(view.debuggee, world, word.value) : undefined;
  return wordNode(word, show, {
    evaluateName: evaluateName(shown, name),
    ...(reference === undefined ? {} : { memoryReference: reference }),
    ...(target === undefined ? {} : { target }),
  });
}

function flags(shown: RegisterView, show: ShowNumber): VariableNode[] {
  const word = registerWord(shown, "rflags");
  return word === undefined ? [] : bitNodes(word, word.bits ?? {}, show);
}

function segments(shown: RegisterView, show: ShowNumber): VariableNode[] {
  const { registers, world, isInnermost, view, refer } = shown;
  return SEGMENTS.map((name) => {
    const value = registers.segment(name);
    if (value === undefined) return { name, value: missing(shown) };
    const place = { kind: "register", world, name } satisfies ValuePlace;
    const reference = refer(value.base);
    return segmentNode(
      {
        name,
        value,
        ...(isInnermost
          ? { write: (part, number) => writePlace(view.debuggee, { ...place, part }, number) }
          : {}),
        refer: (part) => (part === "base" ? reference : undefined),
      },
      show,
      {
        evaluateName: evaluateName(shown, name),
        ...(reference === undefined ? {} : { memoryReference: reference }),
      },
    );
  });
}
