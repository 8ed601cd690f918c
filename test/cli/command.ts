// The bundled command, built once a test file, and how tests call it.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as esbuild from "esbuild";
import { LOADER } from "../../scripts/lib/loader.mjs";
import { buildImage, multibootSource } from "../emulator/loader/build-image.ts";

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder of its own with the command in it. */
export class Command {
  readonly folder = mkdtempSync(join(tmpdir(), "minvisor-cli-"));
  private readonly bundle = join(this.folder, "cli.cjs");

  constructor() {
    esbuild.buildSync({
      loader: LOADER,
      entryPoints: ["cli/main.ts"],
      bundle: true,
      platform: "node",
      target: "node20",
      format: "cjs",
      outfile: this.bundle,
      logLevel: "silent",
    });
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a file; returns its path. */
  file(name: string, bytes: Uint8Array | string): string {
    writeFileSync(this.path(name), bytes);
    return this.path(name);
  }

  /** A multiboot kernel whose code is `body`; returns its path. */
  guest(name: string, body: string): string {
    return this.file(name, buildImage(multibootSource(3, "", body)));
  }

  /** Runs `minvisor run` with these arguments. */
  run(...args: string[]): Ended {
    return this.minvisor("run", ...args);
  }

  /** Starts the command and lets it run. */
  start(...args: string[]): ChildProcess {
    return spawn(process.execPath, [this.bundle, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  }

  minvisor(...args: string[]): Ended {
    const { status, stdout, stderr, error } = spawnSync(process.execPath, [this.bundle, ...args], {
      encoding: "utf8",
      maxBuffer: 1 << 26,
      timeout: 300_000,
      killSignal: "SIGKILL",
    });
    if (error !== undefined) throw error;
    return { status, stdout, stderr };
  }
}
