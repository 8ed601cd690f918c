/** The types of the invariant language, and how messages name them. */
import { type Type as CType, typeName as cTypeName, stripped } from "../../symbols/types.ts";

export const SPACES = ["gva", "gpa", "hva", "hpa"] as const;
export type Space = (typeof SPACES)[number];

/**
 * Integers are mathematical: they have no width. `range` is a set of bytes of one address space,
 * joined or not. Records are built in (invariants/model); `c` is an object of the program's in
 * memory, which is read as an integer where one is wanted.
 */
export type Type =
  | { readonly kind: "boolean" }
  | { readonly kind: "integer" }
  | { readonly kind: "range"; readonly space: Space }
  | { readonly kind: "list"; readonly element: Type }
  | { readonly kind: "record"; readonly record: string }
  | { readonly kind: "c"; readonly type: CType }
  /** Of an expression with an error that has been told: fits everywhere. */
  | { readonly kind: "error" };

export const BOOLEAN: Type = { kind: "boolean" };
export const INTEGER: Type = { kind: "integer" };
export const ERROR: Type = { kind: "error" };
export const rangeOf = (space: Space): Type => ({ kind: "range", space });
export const listOf = (element: Type): Type => ({ kind: "list", element });
export const recordOf = (record: string): Type => ({ kind: "record", record });

export function typeName(type: Type): string {
  switch (type.kind) {
    case "range":
      return `${type.space} range`;
    case "list":
      return `list of ${typeName(type.element)}`;
    case "record":
      return type.record;
    case "c":
      return `C ${cTypeName(type.type)}`;
    default:
      return type.kind;
  }
}

/** Without qualifiers and typedefs. */
const bareName = (type: CType): string => cTypeName(stripped(type));

export function sameType(a: Type, b: Type): boolean {
  if (a.kind === "error" || b.kind === "error") return true;
  if (a.kind === "range") return b.kind === "range" && a.space === b.space;
  if (a.kind === "list") return b.kind === "list" && sameType(a.element, b.element);
  if (a.kind === "record") return b.kind === "record" && a.record === b.record;
  if (a.kind === "c") return b.kind === "c" && bareName(a.type) === bareName(b.type);
  return a.kind === b.kind;
}

/** "an integer", "a hpa range". */
export function article(type: Type): string {
  const name = typeName(type);
  return `${/^[aeiou]/.test(name) ? "an" : "a"} ${name}`;
}
