/** The repository's hand-written source files, and what they import. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Paths from the repository of files that git tracks or would add, with one of the endings. */
export function sourceFiles(endings: readonly string[]): string[] {
  const args = ["ls-files", "--cached", "--others", "--exclude-standard"];
  return execFileSync("git", args, { cwd: repository, encoding: "utf8", maxBuffer: 1 << 26 })
    .split("\n")
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .filter((path) => existsSync(join(repository, path)));
}

export const readSource = (path: string): string => readFileSync(join(repository, path), "utf8");

export interface Import {
  readonly specifier: string;
  /** Gone when the types are: no cycle and nothing loaded. */
  readonly typesOnly: boolean;
}

const IMPORT =
  /^\s*(?:import|export)\s+(type\s+)?(?:[\w$*\s{},]*?\sfrom\s+)?["']([^"'\n]+)["']|\b(?:import|require)\(\s*["']([^"']+)["']/gm;

export function importsOf(text: string): Import[] {
  return [...text.matchAll(IMPORT)].map(([, type, from, call]) => ({
    specifier: (from ?? call)!,
    typesOnly: type !== undefined,
  }));
}

/** A relative specifier as a path from the repository; others as they are. */
export function resolveImport(importer: string, specifier: string): string {
  return specifier.startsWith(".") ? normalize(join(dirname(importer), specifier)) : specifier;
}
