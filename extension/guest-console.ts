/** Terminals for the machine's serial ports: what the guest prints, and what is typed to it. */
import {
  type DebugSession,
  Disposable,
  debug,
  EventEmitter,
  type Terminal,
  ThemeIcon,
  window,
} from "vscode";
import type { ConsolePort } from "../debug-adapter/protocol.ts";
import { registerCommand } from "./commands.ts";
import { COMMANDS, DEBUG_TYPE } from "./contributions.ts";
import { customRequest, onCustomEvent } from "./session.ts";
import { onSessionEvents } from "./session-events.ts";
import { terminalText } from "./terminal-text.ts";

const PORT_NAMES: Readonly<Record<ConsolePort, string>> = {
  com1: "COM1",
  com2: "COM2",
  debug: "Port 0xE9",
};

/** Clears the screen and what has scrolled off it, and goes to its first cell. */
const CLEAR = "\x1b[2J\x1b[3J\x1b[H";

/** One port's terminal; text that comes before VS Code has opened it is kept. */
class PortTerminal {
  private session: DebugSession;
  readonly terminal: Terminal;
  private readonly written = new EventEmitter<string>();
  private waiting: string | undefined = "";
  private isOver = false;

  constructor(port: ConsolePort, session: DebugSession, closed: () => void) {
    this.session = session;
    this.terminal = window.createTerminal({
      name: PORT_NAMES[port],
      iconPath: new ThemeIcon("vm-running"),
      pty: {
        onDidWrite: this.written.event,
        open: () => this.flush(),
        close: closed,
        handleInput: (text: string) => this.type(port, text),
      },
    });
  }

  /** Joins a new session: what the last machine printed goes away. */
  attach(session: DebugSession): void {
    if (session === this.session) return;
    this.session = session;
    this.isOver = false;
    this.write(CLEAR);
  }

  ended({ id }: DebugSession): void {
    if (id === this.session.id) this.isOver = true;
  }

  write(text: string): void {
    if (this.waiting === undefined) this.written.fire(terminalText(text));
    else this.waiting += text;
  }

  private flush(): void {
    const text = this.waiting ?? "";
    this.waiting = undefined;
    this.write(text);
  }

  private type(port: ConsolePort, text: string): void {
    customRequest(this.session, "minvisor/consoleInput", { port, text }).then(
      undefined,
      (error: Error) => {
        this.write(`\r\n[${this.isOver ? "the session has ended" : error.message}]\r\n`);
      },
    );
  }
}

export function registerGuestConsole(): Disposable {
  const terminals = new Map<ConsolePort, PortTerminal>();

  const terminalOf = (port: ConsolePort, session: DebugSession): PortTerminal => {
    const known = terminals.get(port);
    if (known) {
      known.attach(session);
      return known;
    }
    const made = new PortTerminal(port, session, () => terminals.delete(port));
    terminals.set(port, made);
    if (port === "com1") made.terminal.show(true);
    return made;
  };

  return Disposable.from(
    onCustomEvent("minvisor/console", ({ port, text }, session) =>
      terminalOf(port, session).write(text),
    ),
    onSessionEvents({
      ended: (session) => {
        for (const terminal of terminals.values()) terminal.ended(session);
      },
    }),
    registerCommand(COMMANDS.showGuestConsole, () => {
      const session = debug.activeDebugSession;
      if (session?.type === DEBUG_TYPE) terminalOf("com1", session);
      terminals.get("com1")?.terminal.show();
    }),
    new Disposable(() => {
      for (const { terminal } of terminals.values()) terminal.dispose();
    }),
  );
}
