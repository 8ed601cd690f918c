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
import { terminalText } from "./terminal-text.ts";

const PORT_NAMES: Readonly<Record<ConsolePort, string>> = {
  com1: "Guest Console (COM1)",
  com2: "MinVisor COM2",
  debug: "Debug Port 0xE9",
};

/** One port's terminal; text that comes before VS Code has opened it is kept. */
class PortTerminal {
  session: DebugSession;
  readonly terminal: Terminal;
  private readonly written = new EventEmitter<string>();
  private waiting: string | undefined = "";

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
    customRequest(this.session, "minvisor/consoleInput", { port, text }).then(undefined, () => {
      this.write("\r\n[the session has ended]\r\n");
    });
  }
}

export function registerGuestConsole(): Disposable {
  const terminals = new Map<ConsolePort, PortTerminal>();

  const terminalOf = (port: ConsolePort, session: DebugSession): PortTerminal => {
    const known = terminals.get(port);
    if (known) {
      known.session = session;
      return known;
    }
    const made = new PortTerminal(port, session, () => terminals.delete(port));
    terminals.set(port, made);
    made.terminal.show(true);
    return made;
  };

  return Disposable.from(
    onCustomEvent("minvisor/console", ({ port, text }, session) =>
      terminalOf(port, session).write(text),
    ),
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
