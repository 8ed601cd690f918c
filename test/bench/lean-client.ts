/** A DAP client that costs next to nothing, so that the adapter is what is measured. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

const HEADER_END = "\r\n\r\n";

export class LeanClient {
  private readonly adapter: ChildProcessWithoutNullStreams;
  private readonly answers = new Map<number, (body: never) => void>();
  private readonly stops: (() => void)[] = [];
  private stopped = 0;
  /** Bytes as characters. */
  private waiting = "";
  private seq = 1;

  constructor(adapter: string) {
    this.adapter = spawn(process.execPath, [adapter]);
    this.adapter.stdout.on("data", (chunk: Buffer) => this.add(chunk));
    this.adapter.stderr.pipe(process.stderr);
  }

  /** The body of the response; a request that fails ends the benchmark. */
  ask<T>(command: string, args: object = {}): Promise<T> {
    const seq = this.seq++;
    const text = JSON.stringify({ type: "request", seq, command, arguments: args });
    this.adapter.stdin.write(`Content-Length: ${Buffer.byteLength(text)}${HEADER_END}${text}`);
    return new Promise((resolve) => this.answers.set(seq, resolve));
  }

  /** Resolves with the next stopped event, or one that came already. */
  stop(): Promise<void> {
    if (this.stopped > 0) {
      this.stopped--;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.stops.push(resolve));
  }

  close(): void {
    this.adapter.kill();
  }

  private add(chunk: Buffer): void {
    this.waiting += chunk.toString("latin1");
    for (;;) {
      const end = this.waiting.indexOf(HEADER_END);
      if (end < 0) return;
      const start = end + HEADER_END.length;
      const length = Number(this.waiting.slice("Content-Length: ".length, end));
      if (this.waiting.length < start + length) return;
      const body = Buffer.from(this.waiting.slice(start, start + length), "latin1");
      this.waiting = this.waiting.slice(start + length);
      this.receive(JSON.parse(body.toString("utf8")));
    }
  }

  private receive(message: {
    type: string;
    request_seq: number;
    success: boolean;
    message?: string;
    event?: string;
    body: never;
  }): void {
    if (message.type === "response") {
      if (!message.success) throw new Error(message.message);
      this.answers.get(message.request_seq)?.(message.body);
      this.answers.delete(message.request_seq);
    } else if (message.event === "stopped") {
      const next = this.stops.shift();
      if (next) next();
      else this.stopped++;
    }
  }
}
