/** The hypervisors of the editor's workspace, and which of them the .inv files of a folder are about. */
import { pathToFileURL } from "node:url";
import type { ProgramNames } from "../language/index.ts";
import type { Files } from "./files.ts";
import type { Hypervisor, InitializationOptions } from "./protocol.ts";
import { pathOf } from "./uri.ts";
import { folderOf } from "./workspace.ts";

interface Known extends Hypervisor {
  readonly folders: ReadonlySet<string>;
}

export class Hypervisors {
  private readonly all: readonly Known[];
  private readonly files: Pick<Files, "readProgram">;
  /** By path: an ELF file is read when a file about it is first checked. */
  private readonly programs = new Map<string, ProgramNames>();

  constructor({ hypervisors = [] }: InitializationOptions, files: Pick<Files, "readProgram">) {
    this.files = files;
    this.all = hypervisors.map((each) => {
      const folders = (each.invariantFiles ?? []).map((path) =>
        folderOf(pathOf(pathToFileURL(path).href)),
      );
      return { ...each, folders: new Set(folders) };
    });
  }

  /** Undefined where there is none at all. */
  of(folder: string): Hypervisor | undefined {
    return this.all.find(({ folders }) => folders.has(folder)) ?? this.all[0];
  }

  namesIn(folder: string): ProgramNames | undefined {
    const path = this.of(folder)?.program;
    if (path === undefined) return undefined;
    const names = this.programs.get(path) ?? this.files.readProgram(path);
    this.programs.set(path, names);
    return names;
  }
}
