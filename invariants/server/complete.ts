/** Names that fit at a place of an .inv file. */
import { memberNames, recordBehind } from "../language/c-types.ts";
import type { ProgramNames } from "../language/index.ts";
import { EVENT_NAMES } from "../language/syntax.ts";
import { BUILT_INS } from "../model/index.ts";
import type { InvWorkspace } from "./workspace.ts";

export interface Candidate {
  readonly name: string;
  readonly kind: "field" | "variable" | "function" | "constant" | "keyword" | "symbol";
  readonly doc?: string;
}

const KEYWORDS = [
  "invariant",
  "define",
  "memory",
  "forall",
  "exists",
  "count",
  "let",
  "old",
  "in",
  "if",
  "on",
  "after",
  "source",
  "true",
  "false",
];
const MOST_SYMBOLS = 2000;

export function candidatesAt(
  workspace: InvWorkspace,
  program: ProgramNames | undefined,
  path: string,
  offset: number,
): Candidate[] {
  const before = workspace.text(path).slice(0, offset);
  const member = /(?:\.|->)\s*\w*$/.exec(before);
  if (member !== null) return members(workspace, path, member.index);
  if (
    /\b(?:on|,)\s+\w*$/.test(before) &&
    !/:/.test(before.slice(before.lastIndexOf("invariant")))
  ) {
    return EVENT_NAMES.map((name) => ({ name, kind: "keyword" }));
  }
  return everywhere(workspace, program, path);
}

/** Of the record or struct that the name before the point has. */
function members(workspace: InvWorkspace, path: string, at: number): Candidate[] {
  const type = workspace
    .file(path)
    ?.references.filter(({ end }) => end <= at)
    .findLast(({ end }) => {
      return /^[\s)\]]*$/.test(workspace.text(path).slice(end, at));
    })?.type;
  if (type?.kind === "record") {
    const fields = [...(BUILT_INS.records.get(type.record) ?? [])];
    return fields.map(([name, { doc }]) => ({ name, kind: "field", doc }));
  }
  if (type?.kind !== "c") return [];
  const record = recordBehind(type.type, false) ?? recordBehind(type.type, true);
  return record === undefined ? [] : memberNames(record).map((name) => ({ name, kind: "field" }));
}

function everywhere(
  workspace: InvWorkspace,
  program: ProgramNames | undefined,
  path: string,
): Candidate[] {
  const { globals, functions, constants } = BUILT_INS;
  const variables = (workspace.file(path)?.references ?? []).flatMap(({ referent }) =>
    referent.kind === "variable" ? [referent.variable.name] : [],
  );
  const symbols: Candidate[] = [];
  for (const name of program?.names() ?? []) {
    if (symbols.length >= MOST_SYMBOLS) break;
    symbols.push({ name, kind: "symbol" });
  }
  return [
    ...[...new Set(variables)].map((name): Candidate => ({ name, kind: "variable" })),
    ...[...globals].map(([name, { doc }]): Candidate => ({ name, kind: "variable", doc })),
    ...[...functions].map(([name, { doc }]): Candidate => ({ name, kind: "function", doc })),
    ...[...constants].map(([name, { doc }]): Candidate => ({ name, kind: "constant", doc })),
    ...KEYWORDS.map((name): Candidate => ({ name, kind: "keyword" })),
    ...symbols,
  ];
}
