// Our machine and QEMU side by side, instruction by instruction, to the first difference.

import { readFileSync } from "node:fs";
import { Decoder, DecoderOptions, FastFormatter, Instruction, Mnemonic } from "iced-x86";
import {
  type BootImage,
  currentNested,
  currentPaging,
  DebugMemory,
  loadKernel,
  Machine,
  type RunResult,
  VMCB_BYTES,
} from "../../emulator/index.ts";
import { QemuStub } from "../harness/qemu-stub.ts";
import {
  differing,
  is64Bit,
  ourRegisters,
  printFiles,
  type RegisterFile,
} from "./register-file.ts";
import { type Executed, excuse } from "./rules.ts";
import { compareVmcbs } from "./vmcb-compare.ts";

export interface LockstepOptions {
  readonly kernel: string;
  /** "FILE ARGUMENTS" each. */
  readonly modules?: readonly string[];
  readonly append?: string;
  /** MiB; default 512. */
  readonly memory?: number;
  /** Linear address to which both run before the comparison; default the kernel's entry. */
  readonly start?: bigint;
  /** Instructions to compare at most. */
  readonly count: number;
}

export interface LockstepResult {
  /** Instructions after which all registers were compared. */
  readonly compared: number;
  /** Of those, how many began in a guest. */
  readonly inGuest: number;
  /** Exits after which the whole VMCB was compared too. */
  readonly vmcbs: number;
  readonly end: "count" | "halt" | "debug exit" | "difference";
  /** How often each rule excused a difference. */
  readonly excused: ReadonlyMap<string, number>;
  /** The difference: last instructions, and both register files. */
  readonly report: string;
}

const MIB = 2 ** 20;
const CONTEXT = 12;
const HLT_INTERCEPT = 1 << 24;
/** RAM that firmware or the loader filled: copied from ours to QEMU's, so that both see the same. */
const COPIED = [
  [0, 0xa_0000],
  [0xe_0000, 0x10_0000],
] as const;
/** What the loader itself made above that (strings, tables) is smaller than this; files are equal. */
const LARGEST_COPIED = 0x1_0000;

const ramBytes = (options: LockstepOptions): number => (options.memory ?? 512) * MIB;

function loadImage(options: LockstepOptions): BootImage {
  const file = (name: string) => ({ name, bytes: new Uint8Array(readFileSync(name)) });
  return loadKernel({
    kernel: file(options.kernel),
    append: options.append ?? "",
    modules: (options.modules ?? []).map((text) => {
      const space = text.indexOf(" ");
      if (space < 0) return file(text);
      return { ...file(text.slice(0, space)), args: text.slice(space + 1) };
    }),
    ramBytes: ramBytes(options),
  });
}

export class Lockstep {
  private readonly machine: Machine;
  private readonly qemu: QemuStub;
  private readonly image: BootImage;
  private readonly options: LockstepOptions;
  private readonly memory: DebugMemory;
  private readonly formatter = new FastFormatter();
  private readonly recent: string[] = [];
  private readonly excused = new Map<string, number>();
  private replaced = false;
  /** VMCB of the exit that the last step made. */
  private exited: number | undefined;
  private vmcbReport = "";
  /** Each VMCB as it was after its last comparison. */
  private readonly lastVmcbs = new Map<number, Uint8Array>();
  private compared = 0;
  private vmcbs = 0;
  private inGuest = 0;

  private constructor(qemu: QemuStub, image: BootImage, options: LockstepOptions) {
    const machine = new Machine({ ramBytes: ramBytes(options) });
    machine.load(image);
    this.machine = machine;
    this.qemu = qemu;
    this.image = image;
    this.options = options;
    this.memory = new DebugMemory(machine.memory);
    const stop = (): "stop" => {
      this.replaced = true;
      return "stop";
    };
    machine.observe({
      name: "lockstep",
      on: {
        exception: stop,
        exit: ({ vmcb }) => {
          this.exited = vmcb;
          return stop();
        },
      },
    });
  }

  /** Runs it all; QEMU is gone afterwards. */
  static async run(options: LockstepOptions): Promise<LockstepResult> {
    const image = loadImage(options);
    const qemu = await QemuStub.start({ ...options, memory: ramBytes(options) / MIB });
    try {
      const lockstep = new Lockstep(qemu, image, options);
      await lockstep.prepare();
      return await lockstep.compare();
    } finally {
      qemu.stop();
    }
  }

  /** QEMU's firmware and loader run to the entry; then memory and registers are made equal. */
  private async prepare(): Promise<void> {
    const { machine, qemu } = this;
    await qemu.runTo(machine.state.rip);
    for (const [from, to] of COPIED) {
      await qemu.writeMemory(from, machine.memory.peek(from, to - from));
    }
    for (const { address, bytes } of this.image.writes) {
      if (address >= 0x10_0000 && bytes.length < LARGEST_COPIED) {
        await qemu.writeMemory(address, bytes);
      }
    }
    await this.giveAll();
    const { start } = this.options;
    if (start === undefined || start === machine.state.rip) return;
    await qemu.runTo(start);
    this.runOursTo(start);
  }

  private runOursTo(start: bigint): void {
    const { machine } = this;
    let there = false;
    const detach = machine.observe({
      name: "start",
      on: {
        execute: () => {
          there = true;
          return "stop";
        },
      },
    });
    machine.cpu.engine.addBreakpoint(start);
    while (!there) {
      const { reason } = machine.run({ instructions: 1_000_000_000 });
      if (reason !== "observer")
        throw new Error(`Our machine ends with ${reason} before the start`);
    }
    machine.cpu.engine.removeBreakpoint(start);
    detach();
  }

  /** Registers that differ at the entry are QEMU's firmware's: ours hold. */
  private async giveAll(): Promise<void> {
    const ours = ourRegisters(this.machine);
    const theirs = await this.qemu.readRegisters();
    for (const name of differing(ours, theirs)) {
      await this.qemu.writeRegister(name, ours.get(name) as bigint);
    }
  }

  private async compare(): Promise<LockstepResult> {
    const first = differing(ourRegisters(this.machine), await this.qemu.readRegisters());
    if (first.length > 0) return this.result("difference", await this.qemu.readRegisters());
    while (this.compared < this.options.count) {
      const executed = this.decode();
      const { state } = this.machine;
      if (executed.mnemonic === Mnemonic.Hlt && !this.haltIntercepted()) return this.result("halt");
      const before = {
        eax: Number(state.rax & 0xffff_ffffn),
        ecx: Number(state.rcx & 0xffff_ffffn),
      };
      if (state.guestMode !== 0) this.inGuest++;
      const file = ourRegisters(this.machine);
      const result = this.stepOurs();
      if (result.reason === "debugExit") return this.result("debug exit");
      const theirs = await this.stepQemu(file);
      const step = { ...before, instruction: executed, replaced: this.replaced };
      const agreed = (await this.agree(step, theirs)) && (await this.agreeOnVmcb());
      if (!agreed) return this.result("difference", theirs);
      this.compared++;
    }
    return this.result("count");
  }

  private haltIntercepted(): boolean {
    const { state } = this.machine;
    return state.guestMode !== 0 && (state.interceptMisc1 & HLT_INTERCEPT) !== 0;
  }

  /** One instruction, or the fault or exit that takes its place. */
  private stepOurs(): RunResult {
    this.replaced = false;
    this.exited = undefined;
    return this.machine.run({ instructions: 1, passBreakpoint: true });
  }

  /**
   * QEMU's registers after its step. Now and then its stub stops without having executed anything
   * (an event of the machine it runs on comes first): then once more.
   */
  private async stepQemu(before: RegisterFile): Promise<RegisterFile> {
    await this.qemu.step();
    const theirs = await this.qemu.readRegisters();
    const stuck = differing(before, theirs).length === 0;
    if (!stuck || differing(before, ourRegisters(this.machine)).length === 0) return theirs;
    this.count("a stop of QEMU's without a step");
    await this.qemu.step();
    return this.qemu.readRegisters();
  }

  private async agree(executed: Executed, theirs: RegisterFile): Promise<boolean> {
    const ours = ourRegisters(this.machine);
    const names = differing(ours, theirs);
    if (names.length === 0) return true;
    const excuses = excuse(names, executed, ours, theirs);
    if (excuses === undefined) return false;
    for (const { register, value } of excuses) await this.qemu.writeRegister(register, value);
    for (const rule of new Set(excuses.map(({ rule: name }) => name))) this.count(rule);
    return true;
  }

  private count(rule: string): void {
    this.excused.set(rule, (this.excused.get(rule) ?? 0) + 1);
  }

  /** After an exit: the whole VMCB in memory. QEMU is given our bytes where a difference is known. */
  private async agreeOnVmcb(): Promise<boolean> {
    const { exited, qemu } = this;
    if (exited === undefined) return true;
    this.vmcbs++;
    const ours = this.machine.memory.peek(exited, VMCB_BYTES);
    await qemu.physicalAddresses(true);
    const theirs = await qemu.readMemory(BigInt(exited), VMCB_BYTES);
    const before = this.lastVmcbs.get(exited) ?? new Uint8Array(VMCB_BYTES);
    const differences = compareVmcbs(ours, theirs, before);
    this.lastVmcbs.set(exited, ours);
    for (const { offset, bytes, why } of differences) {
      if (why === undefined) continue;
      this.count(why);
      await qemu.writeMemory(exited + offset, bytes);
    }
    await qemu.physicalAddresses(false);
    const unknown = differences.filter(({ why }) => why === undefined);
    this.vmcbReport = unknown
      .map((d) => `* VMCB ${d.name} ${d.ours.toString(16)} ${d.theirs.toString(16)}`)
      .join("\n");
    return unknown.length === 0;
  }

  /** The instruction at our rip, noted for the report. */
  private decode(): Instruction {
    const { state } = this.machine;
    const wide = is64Bit(state);
    const linear = wide ? state.rip : BigInt.asUintN(32, state.cs.base + state.rip);
    const paging = currentPaging(state);
    const nested = currentNested(state);
    const guest = nested === undefined ? { paging } : { paging, nested };
    const bytes = this.memory.peek({ kind: "gva" }, linear, 15, { host: paging, guest });
    const bits = wide ? 64 : (state.cs.attributes & (1 << 10)) !== 0 ? 32 : 16;
    const decoder = new Decoder(bits, bytes, DecoderOptions.None);
    decoder.ip = state.rip;
    const instruction = new Instruction();
    decoder.decodeOut(instruction);
    decoder.free();
    const world = state.guestMode !== 0 ? "guest" : "host ";
    const where = `${world} ${state.cs.selector.toString(16)}:${state.rip.toString(16)}`;
    const code = Buffer.from(bytes.subarray(0, instruction.length)).toString("hex");
    this.recent.push(
      `${where.padEnd(28)} ${code.padEnd(22)} ${this.formatter.format(instruction)}`,
    );
    if (this.recent.length > CONTEXT) this.recent.shift();
    return instruction;
  }

  private result(end: LockstepResult["end"], theirs?: RegisterFile): LockstepResult {
    const { compared, inGuest, vmcbs, excused } = this;
    const heading = `after ${compared} equal instructions; the last one was executed by both`;
    const files = theirs === undefined ? "" : printFiles(ourRegisters(this.machine), theirs);
    const columns = "  register   ours             QEMU";
    const report = [heading, ...this.recent, this.vmcbReport, columns, files].join("\n");
    return { compared, inGuest, vmcbs, end, excused, report: end === "difference" ? report : "" };
  }
}
