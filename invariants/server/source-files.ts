/** Finds the files that debug information names, whose paths may be relative to where the program was built. */
import { joinPath } from "../../symbols/source-path.ts";
import type { Files } from "./files.ts";

/** Looks in the roots and the folders around them: a build's folder lies in that of its sources. */
export function sourceFinder(
  files: Pick<Files, "exists">,
  roots: () => readonly string[],
): (path: string) => string | undefined {
  return (path) => {
    if (path.startsWith("/")) return files.exists(path) ? path : undefined;
    for (const root of roots()) {
      for (let folder = root; folder !== ""; folder = folder.slice(0, folder.lastIndexOf("/"))) {
        const found = joinPath(folder, path);
        if (files.exists(found)) return found;
      }
    }
    return undefined;
  };
}
