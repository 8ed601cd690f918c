/** Which scopes a frame has. */
import type { Debuggee } from "../debuggee.ts";
import { formatReference } from "../memory-reference.ts";
import { spaceOf } from "../names.ts";
import type { Frame } from "../stack.ts";
import { branch, type Children } from "../variables.ts";
import { exitVariables } from "./exit.ts";
import { localVariables } from "./locals.ts";
import { controlRegisters, flags, generalRegisters, msrs, segments } from "./registers.ts";
import { vmcbFields } from "./vmcb.ts";

export interface ScopeNode {
  readonly name: string;
  readonly hint?: "locals" | "registers";
  readonly children: Children;
}

export function scopesOf(debuggee: Debuggee, frame: Frame): ScopeNode[] {
  const scopes: ScopeNode[] = [];
  const exit = debuggee.exits.last;
  const exitScope: ScopeNode[] =
    exit === undefined
      ? []
      : [{ name: "Exit", children: branch(() => exitVariables(debuggee, exit)) }];
  if (frame.kind === "code") {
    const { registers, world } = frame;
    const space = spaceOf(debuggee, world);
    const refer = (address: bigint) => space && formatReference({ space, address });
    const locals = branch(() => localVariables(debuggee, frame));
    scopes.push({ name: "Locals", hint: "locals", children: locals });
    scopes.push(...exitScope);
    const general = branch(() => generalRegisters(registers, refer));
    scopes.push({ name: "Registers", hint: "registers", children: general });
    scopes.push({ name: "Flags", children: branch(() => flags(registers)) });
    scopes.push({ name: "Segments", children: branch(() => segments(registers)) });
    scopes.push({ name: "Control registers", children: branch(() => controlRegisters(registers)) });
    scopes.push({ name: "MSRs", children: branch(() => msrs(debuggee.machine)) });
  } else scopes.push(...exitScope);
  const { vmcb } = debuggee.spaces;
  if (vmcb === undefined) return scopes;
  const poke = (address: number, bytes: Uint8Array) => {
    debuggee.spaces.write({ space: { kind: "hpa" }, address: BigInt(address) }, bytes);
  };
  for (const area of ["control", "save"] as const) {
    const children = branch(() => vmcbFields(vmcb, area, poke));
    scopes.push({ name: `VMCB ${area}`, children });
  }
  return scopes;
}
