/** One adapter process for the window: machines that a session leaves wait in it. */
import { type ChildProcess, spawn } from "node:child_process";

export class AdapterProcess {
  private readonly program: string;
  private port: Promise<number> | undefined;
  private child: ChildProcess | undefined;

  constructor(program: string) {
    this.program = program;
  }

  /** The port that it listens on; starts it where it does not run. Rejects where it cannot start. */
  listening(): Promise<number> {
    this.port ??= this.start();
    return this.port;
  }

  private start(): Promise<number> {
    // On the desktop the extension host's own executable is Electron, which this turns into Node.
    const env = { ...process.env, ELECTRON_RUN_AS_NODE: "1" };
    const stdio: ["pipe", "pipe", "inherit"] = ["pipe", "pipe", "inherit"];
    const child = spawn(process.execPath, [this.program, "--port"], { env, stdio });
    this.child = child;
    return new Promise((resolve, reject) => {
      const ended = (why: string) => {
        this.port = undefined;
        reject(
          new Error(`The debug adapter ${this.program} ended: ${why}. Start debugging again.`),
        );
      };
      child.on("error", ({ message }) => ended(message));
      child.on("exit", (code, signal) => ended(signal ?? `exit code ${code}`));
      child.stdout.once("data", (line: Buffer) => resolve(Number(line.toString())));
    });
  }

  /** It ends by itself where its parent does: its standard input ends. */
  dispose(): void {
    this.child?.kill();
  }
}
