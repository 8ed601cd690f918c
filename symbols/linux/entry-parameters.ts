/** Parameters of a kernel function at its first instruction, by its BTF prototype and the calling convention. */
import type { FunctionHit } from "../image-symbols.ts";
import { REGISTERS } from "../registers.ts";
import { sizeOf, stripped } from "../types.ts";
import type { Variable } from "../variable.ts";
import type { Btf, Parameter } from "./btf.ts";

/** System V psABI, section 3.2.3: integers and pointers. */
const ARGUMENTS = ["rdi", "rsi", "rdx", "rcx", "r8", "r9"];
/** Undefined where they are not known: behind the entry, or without a prototype that is plain. */
export function parametersAtEntry(
  types: Btf | undefined,
  hit: FunctionHit,
): Variable[] | undefined {
  if (types === undefined || hit.offset !== 0n) return undefined;
  const parameters = types.parametersOf(hit.name);
  if (parameters === undefined || parameters.length > ARGUMENTS.length) return undefined;
  if (!parameters.every(isPassedInOneRegister)) return undefined;
  return parameters.map((parameter, i) => variable(parameter, ARGUMENTS[i]!));
}

function isPassedInOneRegister({ type }: Parameter): boolean {
  const { kind } = stripped(type);
  const size = sizeOf(type);
  if (size === undefined || size > 8) return false;
  return kind === "pointer" || kind === "enum" || (kind === "base" && size > 0);
}

function variable({ name, type }: Parameter, register: string): Variable {
  const number = REGISTERS.x86_64.names.indexOf(register);
  return {
    name,
    kind: "parameter",
    type,
    line: undefined,
    isShadowed: false,
    locate: () => ({ kind: "register", register: number }),
  };
}
