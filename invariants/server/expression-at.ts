/** The expression that ends in a name: what a hover asks a standing machine about. */
import type { Reference, Referent, ResolvedFile } from "../language/index.ts";

const HAVE_VALUES: ReadonlySet<Referent["kind"]> = new Set([
  ...(["global", "field", "symbol", "member", "constant", "enumerator", "definition"] as const),
]);

/** Undefined for what has no value, or one only while the invariant is judged, as variables do. */
export function expressionAt(
  { references, members }: ResolvedFile,
  { referent, start, end, type }: Reference,
  text: string,
): string | undefined {
  if (!HAVE_VALUES.has(referent.kind) || type === undefined) return undefined;
  if (referent.kind === "definition" && referent.declared.start === start) return undefined;
  if (text[end] === "(" || (referent.kind === "symbol" && referent.of === "function"))
    return undefined;
  const isMember = referent.kind === "field" || referent.kind === "member";
  const place = isMember ? members.find((each) => each.end === end) : undefined;
  if (isMember && place === undefined) return undefined;
  const from = place?.from ?? (text[start - 1] === "$" ? start - 1 : start);
  const isBound = references.some(({ start: at, referent: { kind } }) => {
    return from <= at && at < end && (kind === "variable" || kind === "argument");
  });
  return isBound ? undefined : text.slice(from, end);
}
