/** What the invariant language makes of C types. */
import { type Type as CType, type RecordType, stripped } from "../../symbols/types.ts";
import type { Type } from "./types.ts";

export const cType = (type: CType): Type => ({ kind: "c", type });

/** Whether an object of the type holds an integer: pointers, enumerations and _Bool among them. */
export function isInteger(type: Type): boolean {
  if (type.kind === "integer") return true;
  if (type.kind !== "c") return false;
  const c = stripped(type.type);
  if (c.kind === "base") return c.base !== "float" && c.base !== "other";
  return c.kind === "pointer" || c.kind === "enum";
}

/** The struct or union that a C type is, or points to. */
export function recordBehind(type: CType, arrow: boolean): RecordType | undefined {
  const outer = stripped(type);
  const inner = arrow ? outer.kind === "pointer" && stripped(outer.target) : outer;
  return inner && (inner.kind === "struct" || inner.kind === "union") ? inner : undefined;
}

export interface FoundMember {
  readonly type: CType;
  /** From the start of the record. */
  readonly bitOffset: number;
  /** Undefined for a member that is no bit field. */
  readonly bitSize: number | undefined;
}

/** A member by its name, those of unnamed structs and unions within among them. */
export function findMember(
  record: RecordType,
  name: string,
  base = 0,
  depth = 0,
): FoundMember | undefined {
  for (const { name: own, type, bitOffset, bitSize } of record.members) {
    if (own === name) return { type, bitOffset: base + bitOffset, bitSize };
    if (own !== "" || depth > 8) continue;
    const inner = stripped(type);
    if (inner.kind !== "struct" && inner.kind !== "union") continue;
    const found = findMember(inner, name, base + bitOffset, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function memberNames(record: RecordType, depth = 0): string[] {
  return record.members.flatMap((member) => {
    if (member.name !== "") return [member.name];
    const inner = stripped(member.type);
    const isRecord = inner.kind === "struct" || inner.kind === "union";
    return isRecord && depth <= 8 ? memberNames(inner, depth + 1) : [];
  });
}
