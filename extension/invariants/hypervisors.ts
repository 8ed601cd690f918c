/** The hypervisors whose symbols .inv files may name, and their sources: as set, else what is or may be debugged. */
import { resolve } from "node:path";
import type { Hypervisor } from "../../invariants/server/protocol.ts";
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
  readonly invariantFiles?: unknown;
}

/** In the order of the launches. Empty where nothing names a file. */
export function hypervisors(
  setting: string,
  launches: readonly Launch[],
  folders: readonly Folder[],
): Hypervisor[] {
  const root = folders[0]?.path ?? "";
  const pathFrom = (cwd: unknown) => {
    const from = typeof cwd === "string" ? substituted(cwd, folders) : root;
    return (path: string) => resolve(root, from, substituted(path, folders));
  };
  if (setting !== "") return [{ program: pathFrom(root)(setting) }];
  return launches.flatMap(({ type, kernel, cwd, sourceMap, invariantFiles }) => {
    if (type !== DEBUG_TYPE || typeof kernel !== "string") return [];
    const path = pathFrom(cwd);
    const entries = Object.entries(sourceMap ?? {});
    const mapped = entries.map(([from, to]) => [substituted(from, folders), path(String(to))]);
    const files: readonly unknown[] = Array.isArray(invariantFiles) ? invariantFiles : [];
    return {
      ...{ program: path(kernel), sourceMap: Object.fromEntries(mapped) },
      invariantFiles: files.map((each) => path(String(each))),
    };
  });
}

/** Folders of the workspace in the place of VS Code's variables for them. */
function substituted(text: string, folders: readonly Folder[]): string {
  return text.replace(/\$\{workspaceFolder(?::([^}]*))?\}/g, (written, name?: string) => {
    const found = name === undefined ? folders[0] : folders.find((each) => each.name === name);
    return found?.path ?? written;
  });
}
