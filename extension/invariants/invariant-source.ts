/** Where an invariant is written: in its .inv file, or in the document of those that are shipped. */
import { Location, Position, type TextDocument, Uri, workspace } from "vscode";
import type { InvariantStatus } from "../../debug-adapter/protocol.ts";
import { SHIPPED_SCHEME } from "../../invariants/server/protocol.ts";
import { SHIPPED_INVARIANTS } from "../../invariants/shipped.ts";
import { invariantsIn } from "./invariant-places.ts";

type Written = Pick<InvariantStatus, "name" | "at">;

const lineIn = (text: string, name: string): number | undefined =>
  invariantsIn(text).find((place) => place.name === name)?.line;

/** Where it was when it was checked; undefined for one that is in no file any more. */
export function locationOfInvariant({ name, at }: Written): Location | undefined {
  if (at !== undefined) return new Location(Uri.file(at.path), new Position(at.line - 1, 0));
  for (const { path, text } of SHIPPED_INVARIANTS) {
    const line = lineIn(text, name);
    const uri = Uri.from({ scheme: SHIPPED_SCHEME, path: `/${path}` });
    if (line !== undefined) return new Location(uri, new Position(line, 0));
  }
  return undefined;
}

/** Its document, and the line from 0 where it is now: a file may have been edited since. */
export async function openInvariant(
  invariant: Written,
): Promise<{ readonly document: TextDocument; readonly line: number }> {
  const { name } = invariant;
  const location = locationOfInvariant(invariant);
  if (location === undefined) throw new Error(`${name} is in no file: start debugging again.`);
  const document = await workspace.openTextDocument(location.uri);
  return { document, line: lineIn(document.getText(), name) ?? location.range.start.line };
}
