/** What leaves the machine's ports, batched into few events. */
import type { Machine } from "../emulator/index.ts";
import type { ConsolePort } from "./protocol.ts";
import type { FileSink, Services } from "./services.ts";

/** Where text goes. */
export interface ConsoleEvents {
  /** All ports, for a terminal. */
  text(port: ConsolePort, text: string): void;
  /** Ports that go to the client's console. */
  output(text: string): void;
}

/** At most about 60 events a second. */
const BATCH_MS = 17;
const MAX_BATCH = 64 * 1024;

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
  private readonly detach: () => void;
  private cancelTimer: (() => void) | undefined;
  private hasText = false;

  /** `shown` go to the client's console, `sinks` to files. */
  constructor(
    services: Services,
    machine: Machine,
    events: ConsoleEvents,
    shown: readonly ConsolePort[],
    sinks: ReadonlyMap<ConsolePort, FileSink>,
  ) {
    this.services = services;
    this.events = events;
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
          this.add(source, byte);
          return undefined;
        },
      },
    });
  }

  private add(source: string, byte: number): void {
    const port = this.ports.get(source);
    if (port === undefined) return;
    port.bytes.push(byte);
    if (port.bytes.length >= MAX_BATCH) this.flush();
    else if (!this.hasText) {
      this.hasText = true;
      this.cancelTimer = this.services.schedule(() => this.flush(), BATCH_MS);
    }
  }

  /** Sends what is waiting: before any event that ends or stops something. */
  flush(): void {
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
      if (port.isShown) this.events.output(text.replaceAll("\r\n", "\n"));
    }
  }

  dispose(): void {
    this.flush();
    this.detach();
    for (const port of this.ports.values()) port.sink?.close();
  }
}
