/** The hypervisor's own names as an editor shows them: C declarations, addresses, places in the source. */
import type { SourceLocation } from "../../symbols/source-index.ts";
import { type Type as CType, declarationText, sizeOf, stripped } from "../../symbols/types.ts";
import type { Variable } from "../../symbols/variable.ts";
import { findMember } from "../language/c-types.ts";
import type { ProgramNames, Reference, Referent } from "../language/index.ts";
import { Program } from "../program.ts";

export interface CDescription {
  /** In C. */
  readonly declaration: string;
  /** Where it lies, how large it is: phrases. */
  readonly facts: readonly string[];
  readonly place: SourceLocation | undefined;
}

/** Stands for a program that cannot be read: it has no names, and says why. */
export function unreadableProgram(problem: string): ProgramNames {
  const nothing = () => undefined;
  const lookups = { global: nothing, function: nothing, enumerator: nothing, typeNamed: nothing };
  return { problem, ...lookups, names: () => [], functionNames: () => [] };
}

/** Undefined for what is no name of the program's. */
export function describeC(
  { referent, type }: Pick<Reference, "referent" | "type">,
  program: ProgramNames | undefined,
): CDescription | undefined {
  if (!(program instanceof Program)) return undefined;
  const c = type?.kind === "c" ? type.type : undefined;
  switch (referent.kind) {
    case "symbol":
      return referent.of === "function"
        ? describeFunction(referent.name, program)
        : describeGlobal(referent.name, program);
    case "argument":
      return c && describeArgument(referent, c, program);
    case "member":
      return c && describeMember(referent, c, program);
    case "enumerator":
      return describeEnumerator(referent.name, program);
    case "type":
      return c && describeType(c, program);
    default:
      return undefined;
  }
}

const inMemory = (name: string, program: Program): string[] => {
  const address = program.addressOf(name);
  return address === undefined ? [] : [`at hva:0x${address.toString(16)}`];
};

const sized = (type: CType): string[] => {
  const size = sizeOf(type);
  return size === undefined ? [] : [size === 1 ? "1 byte" : `${size} bytes`];
};

const placeOf = ({ line, declaredIn: path }: Variable): SourceLocation | undefined =>
  line === undefined || path === undefined ? undefined : { path, line, column: 0 };

function describeGlobal(name: string, program: Program): CDescription | undefined {
  const [variable] = program.symbols.globalsNamed(name);
  if (variable === undefined) return undefined;
  return {
    declaration: declarationText(variable.type, name),
    facts: [...inMemory(name, program), ...sized(variable.type)],
    place: placeOf(variable),
  };
}

function describeFunction(name: string, program: Program): CDescription {
  const found = program.function(name);
  const parameters = [...(found?.parameters ?? [])].map(([parameter, type]) =>
    declarationText(type, parameter),
  );
  const head = `${name}(${parameters.join(", ") || "void"})`;
  return {
    declaration: found?.result === undefined ? name : declarationText(found.result, head),
    facts: inMemory(name, program),
    place: program.symbols.functionDeclaration?.(name),
  };
}

function describeArgument(
  { name, of, function: owner }: Extract<Referent, { kind: "argument" }>,
  type: CType,
  program: Program,
): CDescription {
  const variable = of === "parameter" ? program.parameterOf(owner, name) : undefined;
  return {
    declaration: declarationText(type, name),
    facts: [of === "parameter" ? `a parameter of ${owner}` : `what ${owner} returns`],
    place: (variable && placeOf(variable)) ?? program.symbols.functionDeclaration?.(owner),
  };
}

function describeMember(
  { record, name }: Extract<Referent, { kind: "member" }>,
  type: CType,
  program: Program,
): CDescription {
  const found = findMember(record, name);
  const bits = found?.bitSize;
  const at = `0x${Math.floor((found?.bitOffset ?? 0) / 8).toString(16)}`;
  const offset = `at offset ${at}${bits === undefined ? "" : `, bit ${(found?.bitOffset ?? 0) % 8}`}`;
  const owner =
    record.name === undefined ? `an unnamed ${record.kind}` : `${record.kind} ${record.name}`;
  return {
    declaration: declarationText(type, name) + (bits === undefined ? "" : ` : ${bits}`),
    facts: [`${offset} of ${owner}`, ...(bits === undefined ? sized(type) : [])],
    place: program.symbols.declarationOf?.(record, name),
  };
}

function describeEnumerator(name: string, program: Program): CDescription | undefined {
  const found = program.symbols.enumeratorNamed?.(name);
  if (found === undefined) return undefined;
  return {
    declaration: `${name} = ${found.value}`,
    facts: [`of enum ${found.type.name ?? "{...}"}`],
    place: program.symbols.declarationOf?.(found.type),
  };
}

const MOST_MEMBERS = 20;

function describeType(type: CType, program: Program): CDescription {
  return {
    declaration: type.kind === "typedef" ? `typedef ${typedef(type)}` : declarationText(type, ""),
    facts: sized(type),
    place: program.symbols.declarationOf?.(type),
  };
}

/** Members of what it names, where that has any. */
function typedef({ name, target }: Extract<CType, { kind: "typedef" }>): string {
  const record = stripped(target);
  if (record.kind !== "struct" && record.kind !== "union") return declarationText(target, name);
  const members = record.members.map((each) => `  ${declarationText(each.type, each.name)};`);
  const shown = members.slice(0, MOST_MEMBERS);
  if (shown.length < members.length) shown.push("  ...");
  return `${record.kind}${record.name === undefined ? "" : ` ${record.name}`} {\n${shown.join("\n")}\n} ${name}`;
}
