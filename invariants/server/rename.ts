/** Renames what .inv files declare, and refuses where another name would come to mean something else. */

import { type Reference, type ResolvedFile, WORDS } from "../language/index.ts";
import { lex } from "../language/lexer.ts";
import { type InvWorkspace, isShipped, type Place } from "./workspace.ts";

/** The places that get the new name, or one sentence why none does. */
export type Renaming = { readonly places: readonly Place[] } | { readonly refusal: string };

/** Whether something of that kind is called as an .inv file says. */
export function isOurs({ referent }: Reference): boolean {
  const { kind } = referent;
  if (kind === "variable") return true;
  return (kind === "definition" || kind === "invariant") && !isShipped(referent.path);
}

export function rename(
  workspace: InvWorkspace,
  path: string,
  reference: Reference,
  newName: string,
): Renaming {
  const oldName = workspace.text(path).slice(reference.start, reference.end);
  if (!isOurs(reference)) return { refusal: `${oldName} is declared in no file of this folder` };
  const [token] = lex(newName).tokens;
  if (token?.kind !== "name" || token.text !== newName) {
    return { refusal: `"${newName}" is no name: write letters, digits and underscores` };
  }
  if ((WORDS as readonly string[]).includes(newName)) {
    return { refusal: `${newName} is a word of the language` };
  }
  const places = workspace.placesOf(reference.referent, path);
  const texts = new Map<string, string>();
  for (const each of [...places].sort((a, b) => b.start - a.start)) {
    const text = texts.get(each.path) ?? workspace.text(each.path);
    texts.set(each.path, text.slice(0, each.start) + newName + text.slice(each.end));
  }
  const isSame = meaning(workspace.checked(path)) === meaning(workspace.checkedWith(path, texts));
  if (isSame) return { places };
  return { refusal: `${newName} has a meaning there already` };
}

/** What all names refer to, in their order: what is declared in the files by the number of its declaration. */
function meaning(files: readonly ResolvedFile[]): string {
  const sorted = new Map(
    files.map(({ path, references }) => [path, [...references].sort((a, b) => a.start - b.start)]),
  );
  return files
    .map(({ path, diagnostics }) => {
      const names = sorted.get(path)?.map(({ referent }) => {
        if (!("declared" in referent)) return `${referent.kind} ${referent.name}`;
        const of = referent.kind === "variable" ? path : referent.path;
        const { start } = referent.declared;
        return `${of} ${sorted.get(of)?.findIndex((each) => each.start === start)}`;
      });
      return [path, diagnostics.length, ...(names ?? [])].join("\n");
    })
    .join("\n");
}
