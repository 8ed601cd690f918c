// QEMU stopped at its first instruction, and a client of its gdb stub (GDB's Remote Serial Protocol).

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { atEnd } from "../../scripts/lib/at-end.mjs";
import { QEMU, QEMU_CPU_FLAGS } from "../../scripts/qemu-boot.mjs";

export interface QemuOptions {
  readonly kernel: string;
  /** "FILE ARGUMENTS" each. */
  readonly modules?: readonly string[];
  readonly append?: string;
  /** MiB. */
  readonly memory: number;
  /** More arguments of QEMU's. */
  readonly more?: readonly string[];
}

export interface Register {
  readonly name: string;
  readonly bytes: number;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function littleEndian(hex: string): bigint {
  let value = 0n;
  for (let at = hex.length - 2; at >= 0; at -= 2) {
    value = (value << 8n) | BigInt(Number.parseInt(hex.slice(at, at + 2), 16));
  }
  return value;
}

function littleEndianHex(value: bigint, bytes: number): string {
  let hex = "";
  for (let i = 0; i < bytes; i++) {
    hex += Number((value >> BigInt(8 * i)) & 0xffn)
      .toString(16)
      .padStart(2, "0");
  }
  return hex;
}

function checksum(text: string): string {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum += text.charCodeAt(i);
  return (sum & 0xff).toString(16).padStart(2, "0");
}

const qemuArguments = (options: QemuOptions, socket: string): string[] => [
  ...["-accel", "tcg", "-machine", "pc", "-cpu", QEMU_CPU_FLAGS, "-m", String(options.memory)],
  ...["-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none"],
  ...["-device", "isa-debug-exit,iobase=0xf4,iosize=1", "-serial", "null", "-serial", "null"],
  ...["-S", "-gdb", `unix:${socket},server=on,wait=off`, "-kernel", options.kernel],
  ...(options.append ? ["-append", options.append] : []),
  ...((options.modules?.length ?? 0) > 0
    ? ["-initrd", (options.modules ?? []).map((text) => text.replaceAll(",", ",,")).join(",")]
    : []),
  ...(options.more ?? []),
];

/** One connection; one request at a time. */
export class QemuStub {
  private readonly process: ChildProcess;
  private readonly socket: Socket;
  /** Ends QEMU and removes its folder. */
  private readonly end: () => void;
  private received = "";
  private waiting: { resolve: (packet: string) => void; reject: (e: Error) => void } | undefined;
  private ended: Error | undefined;
  /** In the order of the "g" packet. */
  registers: readonly Register[] = [];

  private constructor(process: ChildProcess, socket: Socket, end: () => void) {
    this.process = process;
    this.end = end;
    this.socket = socket;
    socket.setEncoding("latin1").on("data", (text: string) => this.receive(text));
    socket.on("close", () => this.fail(new Error("QEMU closed the connection")));
    socket.on("error", (error) => this.fail(error));
  }

  /** Starts QEMU, which executes nothing yet. */
  static async start(options: QemuOptions): Promise<QemuStub> {
    const folder = mkdtempSync(join(tmpdir(), "qemu-stub-"));
    const path = join(folder, "gdb");
    const child = spawn(QEMU, qemuArguments(options, path), {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const end = () => {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    };
    const forget = atEnd(end);
    let failure = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      failure += text;
    });
    child.on("error", (error) => {
      failure += `${error.message}; install the Debian package qemu-system-x86`;
    });
    for (let tries = 0; !existsSync(path); tries++) {
      if (failure !== "" || tries > 500) throw new Error(`${QEMU} cannot be started: ${failure}`);
      await sleep(20);
    }
    const socket = createConnection(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
    });
    const stub = new QemuStub(child, socket, () => {
      forget();
      end();
    });
    await stub.readDescription();
    return stub;
  }

  /** CPU seconds that QEMU has used. */
  get cpuSeconds(): number {
    return cpuSecondsOf(this.process.pid ?? 0);
  }

  /** After it was told to quit. */
  async exited(): Promise<void> {
    if (this.process.exitCode === null) await once(this.process, "exit");
    this.stop();
  }

  stop(): void {
    this.socket.destroy();
    this.end();
  }

  /** Values by name. Registers of more than 64 bits are whole. */
  async readRegisters(): Promise<Map<string, bigint>> {
    const packet = await this.request("g");
    const values = new Map<string, bigint>();
    let at = 0;
    for (const { name, bytes } of this.registers) {
      values.set(name, littleEndian(packet.slice(at, at + 2 * bytes)));
      at += 2 * bytes;
    }
    return values;
  }

  async writeRegister(name: string, value: bigint): Promise<void> {
    const index = this.registers.findIndex((register) => register.name === name);
    const register = this.registers[index];
    if (register === undefined) throw new Error(`QEMU has no register ${name}`);
    const hex = littleEndianHex(value, register.bytes);
    await this.expectOk(`P${index.toString(16)}=${hex}`);
  }

  /** Whether addresses of readMemory and writeMemory are physical from now on, or linear. */
  async physicalAddresses(physical: boolean): Promise<void> {
    await this.expectOk(`Qqemu.PhyMemMode:${physical ? 1 : 0}`);
  }

  /** All bytes, or an exception. */
  async readMemory(address: bigint, length: number): Promise<Uint8Array> {
    let hex = "";
    for (let at = 0; at < length; at += 1024) {
      const where = (address + BigInt(at)).toString(16);
      const piece = await this.request(`m${where},${Math.min(1024, length - at).toString(16)}`);
      if (/^E..$/.test(piece)) throw new Error(`QEMU cannot read memory at 0x${where}`);
      hex += piece;
    }
    return new Uint8Array(Buffer.from(hex, "hex"));
  }

  async writeMemory(address: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += 1024) {
      const piece = bytes.subarray(at, at + 1024);
      const where = (address + at).toString(16);
      await this.expectOk(`M${where},${piece.length.toString(16)}:${hexOf(piece)}`);
    }
  }

  /** One instruction, with interrupts and timers held (the stub's default). */
  async step(): Promise<void> {
    await this.resume("s");
  }

  /** Back by one instruction, where QEMU replays. */
  async reverseStep(): Promise<void> {
    await this.resume("bs");
  }

  /** Runs to a linear address, by a breakpoint that does not change memory. */
  async runTo(address: bigint): Promise<void> {
    const where = `1,${address.toString(16)},1`;
    await this.expectOk(`Z${where}`);
    await this.resume("c");
    await this.expectOk(`z${where}`);
  }

  private async resume(packet: string): Promise<void> {
    const reply = await this.request(packet);
    if (!/^[TS]05/.test(reply)) throw new Error(`QEMU stopped with "${reply}"`);
  }

  private async expectOk(packet: string): Promise<void> {
    const reply = await this.request(packet);
    if (reply !== "OK") throw new Error(`QEMU answers "${reply}" to ${packet.slice(0, 40)}`);
  }

  private async readDescription(): Promise<void> {
    await this.request("qSupported:xmlRegisters=i386");
    const root = await this.readFeature("target.xml");
    const included = [...root.matchAll(/<xi:include href="([^"]+)"/g)];
    let text = root;
    for (const [, name] of included) text += await this.readFeature(name ?? "");
    const described = text.replace(/<!--.*?-->/gs, "");
    this.registers = [...described.matchAll(/<reg\s+name="([^"]+)"\s+bitsize="(\d+)"/g)].map(
      ([, name = "", bits]) => ({ name, bytes: Number(bits) / 8 }),
    );
    if (!this.registers.some(({ name }) => name === "r15")) {
      throw new Error("QEMU's stub does not describe 64-bit registers");
    }
  }

  private async readFeature(name: string): Promise<string> {
    let text = "";
    for (;;) {
      const at = text.length.toString(16);
      const reply = await this.request(`qXfer:features:read:${name}:${at},ff0`);
      text += reply.slice(1);
      if (reply[0] === "l") return text;
      if (reply[0] !== "m") throw new Error(`QEMU answers "${reply}" for ${name}`);
    }
  }

  private request(packet: string): Promise<string> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(`$${packet}#${checksum(packet)}`);
    });
  }

  private receive(text: string): void {
    this.received += text;
    for (;;) {
      const start = this.received.indexOf("$");
      const end = this.received.indexOf("#", start);
      if (start < 0 || end < 0 || this.received.length < end + 3) return;
      const packet = unpack(this.received.slice(start + 1, end));
      this.received = this.received.slice(end + 3);
      this.socket.write("+");
      const { waiting } = this;
      this.waiting = undefined;
      waiting?.resolve(packet);
    }
  }

  private fail(error: Error): void {
    this.ended ??= error;
    this.waiting?.reject(this.ended);
    this.waiting = undefined;
  }
}

/** User and system time of a process of Linux, in its ticks of a hundredth of a second. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Undoes the protocol's escapes ("}" and a byte XOR 20h) and run lengths ("*" and count + 29). */
function unpack(packet: string): string {
  if (!/[}*]/.test(packet)) return packet;
  let out = "";
  for (let i = 0; i < packet.length; i++) {
    const character = packet[i] as string;
    if (character === "}") out += String.fromCharCode(packet.charCodeAt(++i) ^ 0x20);
    else if (character === "*") out += (out.at(-1) ?? "").repeat(packet.charCodeAt(++i) - 29);
    else out += character;
  }
  return out;
}
