/** Finds the files that debug information names, whose paths may be relative to where the program was built. */
import { joinPath, mappedPath } from "../../symbols/source-path.ts";
import type { Files } from "./files.ts";

export interface SourcePlaces {
  /** Absolute paths in the place of those that the debug information has, by prefix. */
  readonly sourceMap: ReadonlyMap<string, string>;
  readonly roots: readonly string[];
}

/** The file of a path in the debug information that an .inv file is about; undefined where it is not there. */
export type SourceFinder = (named: string, about: string) => string | undefined;

/** By the source map, else in the roots and the folders around them: a build's folder lies in that of its sources. */
export function sourceFinder(
  files: Pick<Files, "exists">,
  places: (about: string) => SourcePlaces,
): SourceFinder {
  return (named, about) => {
    const { sourceMap, roots } = places(about);
    const path = mappedPath(named, sourceMap) ?? named;
    if (path.startsWith("/")) return files.exists(path) ? joinPath(path) : undefined;
    for (const root of roots) {
      for (let folder = root; folder !== ""; folder = folder.slice(0, folder.lastIndexOf("/"))) {
        const found = joinPath(folder, path);
        if (files.exists(found)) return found;
      }
    }
    return undefined;
  };
}
