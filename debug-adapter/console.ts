/** What leaves the machine's ports, batched into few events. */

import type { OutputPace } from "./console/output-pace.ts";
import type { Debuggee } from "./debuggee.ts";
import type { ConsolePort } from "./protocol.ts";
import type { FileSink, Services } from "./services.ts";

/** Where text goes. */
export interface ConsoleEvents {
  /** All ports, for a terminal. */
  text(port: ConsolePort, text: string): void;
  /** Ports that go to the client's console. */
  output(text: string): void;
  readonly pace: OutputPace;
}

const BATCH_MS = 17;

interface Port {
  readonly name: ConsolePort;
  readonly bytes: number[];
  readonly decoder: InstanceType<typeof TextDecoder>;
  readonly isShown: boolean;
  readonly sink: FileSink | undefined;
}

export class ConsoleOutput {
  private readonly services: Services;
  private readonly events: ConsoleEvents;
  private readonly ports: ReadonlyMap<string, Port>;
  /** Ports that go to the client's console. */
  private readonly shown: number;
  private readonly detach: () => void;
  private cancelTimer: (() => void) | undefined;
  private hasText = false;

  /** `shown` go to the client's console, `sinks` to files. */
  constructor(
    services: Services,
    { machine, timeline }: Pick<Debuggee, "machine" | "timeline">,
    events: ConsoleEvents,
    shown: readonly ConsolePort[],
    sinks: ReadonlyMap<ConsolePort, FileSink>,
  ) {
    this.services = services;
    this.events = events;
    this.shown = shown.length;
    this.ports = new Map(
      (["com1", "com2", "debug"] as const).map((name) => [
        name,
        {
          name,
          bytes: [],
          decoder: new TextDecoder(),
          isShown: shown.includes(name),
          sink: sinks.get(name),
        },
      ]),
    );
    this.detach = machine.observe({
      name: "console",
      on: {
        console: ({ source, byte }) => {
          // What the past prints again was shown when it came first.
          if (!timeline?.isRepeating) this.add(source, byte);
          return undefined;
        },
      },
    });
  }

  private add(source: string, byte: number): void {
    const port = this.ports.get(source);
    if (port === undefined) return;
    port.bytes.push(byte);
    if (!this.hasText) {
      this.hasText = true;
      this.schedule(BATCH_MS);
    }
  }

  private schedule(delayMs: number): void {
    this.cancelTimer?.();
    this.cancelTimer = this.services.schedule(() => this.flush(), delayMs);
  }

  /** Sends what is waiting, before an event that stops the machine; later where that would be too often. */
  flush(): void {
    if (!this.hasText) return;
    const wait = this.events.pace.wait(this.shown);
    if (wait === 0) this.flushAll();
    else this.schedule(wait);
  }

  /** Sends what is waiting in any case, before an event that ends something. */
  flushAll(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.hasText = false;
    for (const port of this.ports.values()) {
      if (port.bytes.length === 0) continue;
      const bytes = Uint8Array.from(port.bytes.splice(0));
      port.sink?.write(bytes);
      const text = port.decoder.decode(bytes, { stream: true });
      if (text === "") continue;
      this.events.text(port.name, text);
      if (!port.isShown) continue;
      this.events.pace.note();
      this.events.output(text.replaceAll("\r\n", "\n"));
    }
  }

  dispose(): void {
    this.flushAll();
    this.detach();
    for (const port of this.ports.values()) port.sink?.close();
  }
}
