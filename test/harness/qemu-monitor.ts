// A client of QEMU's monitor (QMP: one JSON object a line), on a local socket.
import { existsSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

interface Message {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
}

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export class QemuMonitor {
  private readonly socket: Socket;
  private received = "";
  private answer: Waiting<Message> | undefined;
  private readonly awaited: (Waiting<void> & { readonly event: string })[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => this.closed());
    socket.setEncoding("utf8").on("data", (text: string) => this.receive(text));
  }

  /** Connects as soon as the socket is there. */
  static async connect(path: string): Promise<QemuMonitor> {
    for (let tries = 0; !existsSync(path); tries++) {
      if (tries > 1000) throw new Error(`QEMU does not listen on ${path}`);
      await sleep(20);
    }
    const socket = createConnection(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
    });
    const monitor = new QemuMonitor(socket);
    await monitor.ask("qmp_capabilities");
    return monitor;
  }

  /** One command at a time; what it returns. */
  async ask<T>(execute: string, args: object = {}): Promise<T> {
    const message = await new Promise<Message>((resolve, reject) => {
      this.answer = { resolve, reject };
      this.socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    });
    if (message.error) throw new Error(`QEMU's ${execute}: ${message.error.desc}`);
    return message.return as T;
  }

  /** The next event of that name. */
  next(event: string): Promise<void> {
    return new Promise((resolve, reject) => this.awaited.push({ event, resolve, reject }));
  }

  close(): void {
    this.socket.destroy();
  }

  private closed(): void {
    const error = new Error("QEMU has ended, or closed its monitor");
    this.answer?.reject(error);
    for (const { reject } of this.awaited.splice(0)) reject(error);
  }

  private receive(text: string): void {
    this.received += text;
    for (let end = this.received.indexOf("\n"); end >= 0; end = this.received.indexOf("\n")) {
      const message = JSON.parse(this.received.slice(0, end)) as Message;
      this.received = this.received.slice(end + 1);
      if (message.event !== undefined) this.happened(message.event);
      else if ("return" in message || "error" in message) this.answer?.resolve(message);
    }
  }

  private happened(event: string): void {
    const index = this.awaited.findIndex((each) => each.event === event);
    if (index >= 0) this.awaited.splice(index, 1)[0]?.resolve();
  }
}
