/** What violations of each invariant do, as the user chose it: kept for the sessions of a workspace to come. */
import { resolve } from "node:path";
import type { InvariantPolicy } from "../../debug-adapter/protocol.ts";
import { invariantsIn } from "./invariant-places.ts";

export interface KeptPolicy {
  readonly name: string;
  /** Where the invariant is written; undefined for one that is shipped. */
  readonly file?: string;
  readonly policy: InvariantPolicy;
}

type Subject = Pick<KeptPolicy, "name" | "file">;

const isSame = (a: Subject, b: Subject): boolean => a.name === b.name && a.file === b.file;

/** What an invariant does anyway is not kept. */
export function withPolicy(kept: readonly KeptPolicy[], chosen: KeptPolicy): KeptPolicy[] {
  const others = without(kept, [chosen]);
  return chosen.policy === "stop" ? others : [...others, chosen];
}

/** Those whose invariant is gone; undefined stands for the files that are shipped. */
export async function goneFrom(
  kept: readonly KeptPolicy[],
  textOf: (file: string | undefined) => Promise<string>,
): Promise<KeptPolicy[]> {
  const isWritten = async ({ name, file }: Subject): Promise<boolean> =>
    invariantsIn(await textOf(file)).some((place) => place.name === name);
  const written = await Promise.all(kept.map(isWritten));
  return kept.filter((_, i) => !written[i]);
}

export const without = (kept: readonly KeptPolicy[], gone: readonly KeptPolicy[]): KeptPolicy[] =>
  kept.filter((each) => !gone.some((other) => isSame(each, other)));

/**
 * Those that count in a session of that configuration, whose own policies win; `checked` are files
 * that it checks beside those that its configuration names.
 */
export function policiesFor(
  kept: readonly KeptPolicy[],
  { invariants, invariantFiles, invariantPolicy, cwd }: { readonly [attribute: string]: unknown },
  checked: readonly string[] = [],
): KeptPolicy[] {
  const own = typeof invariantPolicy === "object" && invariantPolicy ? invariantPolicy : {};
  const named = Array.isArray(invariants) ? invariants : undefined;
  const given: readonly unknown[] = Array.isArray(invariantFiles) ? invariantFiles : [];
  const root = typeof cwd === "string" ? cwd : "";
  const files = [...given.map((path) => resolve(root, String(path))), ...checked];
  return kept.filter(({ name, file }) => {
    if (invariants === false || named?.includes(name) === false) return false;
    if ("*" in own || name in own) return false;
    return file === undefined || files.includes(file);
  });
}
