/** The files that the language server reads: .inv files that are not open, sources, the hypervisor's program. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ProgramSymbols } from "../../symbols/program.ts";
import type { ProgramNames } from "../language/index.ts";
import { Program } from "../program.ts";
import { unreadableProgram } from "./hypervisor.ts";
import { uriOf } from "./uri.ts";
import type { Disk } from "./workspace.ts";

export interface Files extends Disk {
  exists(path: string): boolean;
  /** Of the ELF file at a path of the platform's; one that cannot be read has no names and says why. */
  readProgram(path: string): ProgramNames;
}

const native = (path: string): string => fileURLToPath(uriOf(path));

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

export const FILES: Files = {
  invariantFiles: (folder) => {
    const names = attempt(() => readdirSync(native(folder)), []);
    return names.filter((name) => name.endsWith(".inv")).map((name) => `${folder}/${name}`);
  },
  read: (path) => attempt(() => readFileSync(native(path), "utf8"), undefined),
  exists: (path) => attempt(() => existsSync(native(path)), false),
  readProgram,
};

function readProgram(path: string): ProgramNames {
  const bytes = attempt(() => new Uint8Array(readFileSync(path)), undefined);
  if (bytes === undefined) {
    return unreadableProgram(
      `${path} cannot be read: build it, or set minvisor.invariants.program`,
    );
  }
  try {
    return Program.of(new ProgramSymbols(bytes, path), path, bytes);
  } catch (caught) {
    return unreadableProgram(caught instanceof Error ? caught.message : String(caught));
  }
}
