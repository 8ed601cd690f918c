/** Runs ACL2 on files in a folder of their own. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../../tidy/sources.ts";

/** Debian's wrapper wants the library of books, which nothing here uses. */
const HOME = "/usr/lib";
const imageOf = (): string => {
  const folder = readdirSync(HOME).find((name) => name.startsWith("acl2-"));
  if (folder === undefined) throw new Error("ACL2 is not installed: apt-get install acl2");
  return join(HOME, folder, "saved_acl2");
};

export class Acl2 {
  readonly folder = mkdtempSync(join(tmpdir(), "minvisor-acl2-"));

  constructor() {
    mkdirSync(join(this.folder, "books"));
    for (const book of ["definvariant.lisp", "page-walk.lisp"])
      copyFileSync(join(repository, "invariants", "acl2", book), join(this.folder, book));
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true });
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  /** What it prints for forms on its standard input. */
  run(forms: string): string {
    const { stdout, error } = spawnSync(imageOf(), {
      cwd: this.folder,
      input: `${forms}\n(good-bye 0)\n`,
      encoding: "utf8",
      maxBuffer: 1 << 28,
      timeout: 180_000,
      killSignal: "SIGKILL",
      env: { ...process.env, ACL2_SYSTEM_BOOKS: join(this.folder, "books") },
    });
    if (error !== undefined) throw error;
    return stdout;
  }

  /** Certifies a book; returns what ACL2 complains of, nothing where it is certified. */
  certify(name: string): string {
    const output = this.run(`(certify-book "${name}" ?)`);
    if (existsSync(join(this.folder, `${name}.cert`))) return "";
    return output.slice(-4000);
  }
}
