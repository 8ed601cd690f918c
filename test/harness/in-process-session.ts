/** A debug session in this process: its machine can be looked at, and its clock is the test's. */
import type { DebugProtocol as DP } from "@vscode/debugprotocol";
import { deflate } from "../../debug-adapter/node/deflate.ts";
import { IcedDisassembler } from "../../debug-adapter/node/iced-disassembler.ts";
import { nodeFiles } from "../../debug-adapter/node/node-files.ts";
import type { MessageTransport } from "../../debug-adapter/services.ts";
import { DebugSession } from "../../debug-adapter/session.ts";

/** What a session of this process is given for a clock: real time, unless the test has another. */
export interface SessionClock {
  now(): number;
  /** As the services' own; without it nothing waits longer than for its turn. */
  schedule?(callback: () => void, delayMs: number): () => void;
}

class Loopback implements MessageTransport {
  receive: (message: DP.ProtocolMessage) => void = () => {};
  readonly onSent: (message: DP.ProtocolMessage) => void;

  constructor(onSent: (message: DP.ProtocolMessage) => void) {
    this.onSent = onSent;
  }

  send(message: DP.ProtocolMessage): void {
    this.onSent(message);
  }

  onMessage(receive: (message: DP.ProtocolMessage) => void): void {
    this.receive = receive;
  }

  onClose(): void {}
}

export class InProcessSession {
  readonly session: DebugSession;
  private readonly transport: Loopback;
  private readonly answers = new Map<number, (response: DP.Response) => void>();
  private readonly listeners = new Map<string, ((body: unknown) => void)[]>();
  /** Hears of every event. */
  onEvent: (event: string, body: unknown) => void = () => {};
  private seq = 1;

  constructor(clock: SessionClock = performance) {
    this.transport = new Loopback((message) => this.sent(message));
    this.session = new DebugSession(this.transport, {
      files: nodeFiles,
      disassembler: new IcedDisassembler(),
      codec: deflate,
      now: () => clock.now(),
      sha256: () => Promise.resolve(""),
      schedule(callback, delayMs) {
        if (clock.schedule) return clock.schedule(callback, delayMs);
        const immediate = setImmediate(callback);
        return () => clearImmediate(immediate);
      },
    });
  }

  private sent(message: DP.ProtocolMessage): void {
    if (message.type === "response") {
      const response = message as DP.Response;
      this.answers.get(response.request_seq)?.(response);
      this.answers.delete(response.request_seq);
    } else if (message.type === "event") {
      const { event, body } = message as DP.Event;
      this.onEvent(event, body);
      for (const listener of this.listeners.get(event)?.splice(0) ?? []) listener(body);
    }
  }

  /** The body of the response; rejects with the message of a failure, whose body is the cause. */
  ask<T = object>(command: string, args: object = {}): Promise<T> {
    const seq = this.seq++;
    return new Promise((resolve, reject) => {
      this.answers.set(seq, ({ success, message, body }) => {
        if (success) resolve(body as T);
        else reject(new Error(message, { cause: body }));
      });
      const request: DP.Request = { type: "request", seq, command, arguments: args };
      this.transport.receive(request);
    });
  }

  /** The next event of that name. */
  next<T>(event: string): Promise<T> {
    return new Promise((resolve) => {
      const waiting = this.listeners.get(event) ?? [];
      this.listeners.set(event, [...waiting, (body) => resolve(body as T)]);
    });
  }

  /** initialize and launch, up to the initialized event. */
  async begin(attributes: object, client: object = {}): Promise<void> {
    await this.ask("initialize", { adapterID: "minvisor", ...client });
    const initialized = this.next("initialized");
    await this.ask("launch", attributes);
    await initialized;
  }
}
