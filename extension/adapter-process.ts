/** One adapter process for the window: machines that a session leaves wait in it. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const isWindows = process.platform === "win32";

/** In a folder that only this user may enter: whoever connects can read and write files. */
function pipePath(): string {
  if (isWindows) return `\\\\.\\pipe\\minvisor-${randomUUID()}`;
  return join(mkdtempSync(join(tmpdir(), "minvisor-")), "adapter");
}

function removePipe(path: string): void {
  if (!isWindows) rmSync(dirname(path), { recursive: true, force: true });
}

export class AdapterProcess {
  private readonly program: string;
  private path: Promise<string> | undefined;
  private child: ChildProcess | undefined;

  constructor(program: string) {
    this.program = program;
  }

  /** The pipe that it listens on; starts it where it does not run. Rejects where it cannot start. */
  listening(): Promise<string> {
    this.path ??= this.start();
    return this.path;
  }

  private start(): Promise<string> {
    const path = pipePath();
    // On the desktop the extension host's own executable is Electron, which this turns into Node.
    const env = { ...process.env, ELECTRON_RUN_AS_NODE: "1" };
    const stdio: ["pipe", "pipe", "inherit"] = ["pipe", "pipe", "inherit"];
    const child = spawn(process.execPath, [this.program, "--pipe", path], { env, stdio });
    this.child = child;
    return new Promise((resolve, reject) => {
      const ended = (why: string) => {
        this.path = undefined;
        removePipe(path);
        reject(
          new Error(`The debug adapter ${this.program} ended: ${why}. Start debugging again.`),
        );
      };
      child.on("error", ({ message }) => ended(message));
      child.on("exit", (code, signal) => ended(signal ?? `exit code ${code}`));
      child.stdout.once("data", () => resolve(path));
    });
  }

  /** It ends by itself where its parent does: its standard input ends. */
  dispose(): void {
    this.child?.kill();
  }
}
