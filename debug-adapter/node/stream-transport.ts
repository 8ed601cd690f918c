/** Protocol messages over a pair of byte streams, each with a Content-Length header. */
import type { Readable, Writable } from "node:stream";
import type { DebugProtocol } from "@vscode/debugprotocol";
import type { MessageTransport } from "../services.ts";

const SEPARATOR = "\r\n\r\n";
const MAX_HEADER = 4096;

export class StreamTransport implements MessageTransport {
  private readonly output: Writable;
  private waiting = new Uint8Array(0);
  private receive: (message: DebugProtocol.ProtocolMessage) => void = () => {};
  private closed: () => void = () => {};
  private isClosed = false;

  constructor(input: Readable, output: Writable) {
    this.output = output;
    input.on("data", (chunk: Uint8Array) => this.add(chunk));
    for (const event of ["end", "close", "error"]) input.on(event, () => this.close());
    output.on("error", () => this.close());
  }

  send(message: DebugProtocol.ProtocolMessage): void {
    if (this.isClosed) return;
    const body = JSON.stringify(message);
    this.output.write(`Content-Length: ${Buffer.byteLength(body)}${SEPARATOR}${body}`);
  }

  onMessage(receive: (message: DebugProtocol.ProtocolMessage) => void): void {
    this.receive = receive;
  }

  onClose(closed: () => void): void {
    this.closed = closed;
  }

  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.closed();
  }

  private add(chunk: Uint8Array): void {
    this.waiting = joined(this.waiting, chunk);
    for (;;) {
      const waiting = Buffer.from(
        this.waiting.buffer,
        this.waiting.byteOffset,
        this.waiting.length,
      );
      const end = waiting.indexOf(SEPARATOR);
      if (end < 0) {
        // What is no header is dropped, so that the next message can be found.
        if (waiting.length > MAX_HEADER) this.waiting = new Uint8Array(0);
        return;
      }
      const header = waiting.subarray(0, end).toString("latin1");
      const start = end + SEPARATOR.length;
      const length = Number(/content-length:\s*(\d+)/i.exec(header)?.[1] ?? 0);
      if (waiting.length < start + length) return;
      const body = waiting.subarray(start, start + length).toString("utf8");
      this.waiting = this.waiting.subarray(start + length);
      const message = parseMessage(body);
      if (message !== undefined) this.receive(message);
    }
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** Undefined for what is no message: a client that sends it gets no answer. */
function parseMessage(body: string): DebugProtocol.ProtocolMessage | undefined {
  try {
    const message: unknown = JSON.parse(body);
    return typeof message === "object" && message !== null && "type" in message
      ? (message as DebugProtocol.ProtocolMessage)
      : undefined;
  } catch {
    return undefined;
  }
}
