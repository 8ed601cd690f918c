/** The invariant language: text to checked terms. */
export { check, type ResolvedFile, type SourceFile, variablesAt } from "./check.ts";
export type { MemberPlace, Reference, Referent, Visible } from "./checker.ts";
export type * from "./declarations.ts";
export { format } from "./format.ts";
export { type Parsed, parse } from "./parser.ts";
export * from "./syntax.ts";
export type * from "./term.ts";
export { type Type, typeName } from "./types.ts";
