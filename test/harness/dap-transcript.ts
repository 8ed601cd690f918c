/** A session as text: what was asked and what came back, without what differs between builds. */
import type { AdapterClient } from "./dap-adapter.ts";
import { repository } from "./dap-adapter.ts";

/** Addresses in MinVisor's region depend on the compiler; so do counts of instructions. */
function normalised(text: string): string {
  return text
    .replaceAll(repository, "<repository>")
    .replace(/0x10[0-9a-f]{6}\b/g, "<minvisor>")
    .replace(/("checksum":")[0-9a-f]{64}/g, "$1<SHA-256>")
    .replace(/("hash":")[0-9a-f]{16}/g, "$1<hash>")
    .replace(/("?icount"?(?:",)?[:=] *"?)\d+/g, "$1<icount>")
    .replace(/("?(?:endIcount|snapshotBytes)"?: ?)\d+/g, "$1<number>")
    .replace(/^(<- ticks: )\d+/gm, "$1<ticks>")
    .replace(/^(<- bytes: )\d+/gm, "$1<number>")
    .replace(/("name":"icount",[^}]*},"value":")\d+/g, "$1<icount>");
}

const sorted = (_key: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** Lists have a line for each element, so that a difference is easy to see. */
function shown(body: object): string[] {
  return Object.entries(body).flatMap(([name, value]) =>
    Array.isArray(value)
      ? [`<- ${name}:`, ...value.map((each) => `     ${JSON.stringify(each, sorted)}`)]
      : [`<- ${name}: ${JSON.stringify(value, sorted)}`],
  );
}

export class Transcript {
  private readonly client: AdapterClient;
  private readonly lines: string[] = [];

  constructor(client: AdapterClient) {
    this.client = client;
  }

  /** Sends a request and writes down how it was answered; returns the body. */
  async ask<T>(command: string, args: object = {}): Promise<T> {
    this.lines.push(`-> ${command} ${JSON.stringify(args, sorted)}`);
    try {
      const { body } = await this.client.send(command, args);
      this.lines.push(...shown(body ?? {}));
      return body as T;
    } catch (caught) {
      this.lines.push(`<- failed: ${(caught as Error).message}`);
      return undefined as T;
    }
  }

  note(what: string, value: unknown): void {
    this.lines.push(`== ${what} ${JSON.stringify(value, sorted)}`);
  }

  get text(): string {
    return `${normalised(this.lines.join("\n"))}\n`;
  }
}
