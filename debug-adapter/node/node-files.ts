/** Files as Node.js reads and writes them, with errors in words. */
import { closeSync, openSync, writeSync } from "node:fs";
import { access, readFile, rename, stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import type { FileReader, FileSink } from "../services.ts";
import { UserError } from "../text.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EACCES: "permission is denied",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of its path is not a directory",
  EROFS: "its file system is read-only",
  ENOSPC: "no space is left on its file system",
  EDQUOT: "the disk quota is used up",
  ERR_FS_FILE_TOO_LARGE: "it is larger than 2 GiB",
};

/** What is missing where a file is to be made. */
const WRITING: Readonly<Record<string, string>> = {
  ...REASONS,
  ENOENT: "its folder does not exist",
};

function failure(verb: "read" | "renamed" | "written", path: string, caught: unknown): UserError {
  const code = (caught as NodeJS.ErrnoException).code ?? "";
  const reason = (verb === "written" ? WRITING : REASONS)[code];
  return new UserError(`${path} cannot be ${verb}: ${reason ?? (code || String(caught))}.`);
}

export const nodeFiles: FileReader = {
  async read(path) {
    try {
      return new Uint8Array(await readFile(path));
    } catch (caught) {
      throw failure("read", path, caught);
    }
  },

  resolve: (path, cwd) => (isAbsolute(path) ? resolve(path) : resolve(cwd ?? ".", path)),

  exists: (path) =>
    access(path).then(
      () => true,
      () => false,
    ),

  async rename(path, to) {
    try {
      if (!(await stat(path)).isFile()) return false;
      await rename(path, to);
      return true;
    } catch (caught) {
      if ((caught as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw failure("renamed", path, caught);
    }
  },

  async openForWriting(path): Promise<FileSink> {
    let descriptor: number;
    try {
      descriptor = openSync(path, "w");
    } catch (caught) {
      throw failure("written", path, caught);
    }
    return {
      write: (bytes) => {
        try {
          for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
        } catch (caught) {
          throw failure("written", path, caught);
        }
      },
      close: () => closeSync(descriptor),
    };
  },
};
