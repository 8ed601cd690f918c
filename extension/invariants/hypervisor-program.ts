/** The hypervisor's ELF file, whose symbols .inv files may name: as set, else what is or will be debugged. */
import { resolve } from "node:path";
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
}

/** The first of the launches is the one that counts most. Undefined where nothing names a file. */
export function hypervisorProgram(
  setting: string,
  launches: readonly Launch[],
  folders: readonly Folder[],
): string | undefined {
  const root = folders[0]?.path ?? "";
  if (setting !== "") return resolve(root, substituted(setting, folders));
  for (const { type, kernel, cwd } of launches) {
    if (type !== DEBUG_TYPE || typeof kernel !== "string") continue;
    const from = typeof cwd === "string" ? substituted(cwd, folders) : root;
    return resolve(root, from, substituted(kernel, folders));
  }
  return undefined;
}

/** Folders of the workspace in the place of VS Code's variables for them. */
function substituted(text: string, folders: readonly Folder[]): string {
  return text.replace(/\$\{workspaceFolder(?::([^}]*))?\}/g, (written, name?: string) => {
    const found = name === undefined ? folders[0] : folders.find((each) => each.name === name);
    return found?.path ?? written;
  });
}
