/** The hypervisor's ELF file, whose symbols .inv files may name, and its sources: as set, else what is or will be debugged. */
import { resolve } from "node:path";
import type { InitializationOptions } from "../../invariants/server/protocol.ts";
import { DEBUG_TYPE } from "../contributions.ts";

export interface Folder {
  readonly name: string;
  readonly path: string;
}

/** What of a launch configuration says where the hypervisor is. */
export interface Launch {
  readonly type?: unknown;
  readonly kernel?: unknown;
  readonly cwd?: unknown;
  readonly sourceMap?: unknown;
}

/** The first of the launches is the one that counts most. Empty where nothing names a file. */
export function hypervisorProgram(
  setting: string,
  launches: readonly Launch[],
  folders: readonly Folder[],
): InitializationOptions {
  const root = folders[0]?.path ?? "";
  const pathFrom = (cwd: unknown) => {
    const from = typeof cwd === "string" ? substituted(cwd, folders) : root;
    return (path: string) => resolve(root, from, substituted(path, folders));
  };
  if (setting !== "") return { program: pathFrom(root)(setting) };
  for (const { type, kernel, cwd, sourceMap } of launches) {
    if (type !== DEBUG_TYPE || typeof kernel !== "string") continue;
    const path = pathFrom(cwd);
    const entries = Object.entries(sourceMap ?? {});
    const mapped = entries.map(([from, to]) => [substituted(from, folders), path(String(to))]);
    return { program: path(kernel), sourceMap: Object.fromEntries(mapped) };
  }
  return {};
}

/** Folders of the workspace in the place of VS Code's variables for them. */
function substituted(text: string, folders: readonly Folder[]): string {
  return text.replace(/\$\{workspaceFolder(?::([^}]*))?\}/g, (written, name?: string) => {
    const found = name === undefined ? folders[0] : folders.find((each) => each.name === name);
    return found?.path ?? written;
  });
}
