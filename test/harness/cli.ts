/** The command as its users run it: bundled once, each run a process of its own. */

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Command {
  /** Scratch folder for images and output, gone with close(). */
  readonly folder = mkdtempSync(join(tmpdir(), "minvisor-cli-"));
  private readonly bundle = join(this.folder, "cli.cjs");

  constructor() {
    buildSync({
      entryPoints: ["cli/main.ts"],
      bundle: true,
      platform: "node",
      format: "cjs",
      outfile: this.bundle,
      logLevel: "error",
    });
    const wasm = "iced_x86_bg.wasm";
    copyFileSync(join("node_modules", "iced-x86", wasm), join(this.folder, wasm));
  }

  run(...args: string[]): CommandResult {
    const { status, stdout, stderr } = spawnSync(process.execPath, [this.bundle, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    return { status, stdout, stderr };
  }

  /** Writes a file into the scratch folder and returns its path. */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
