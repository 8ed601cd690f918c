/** The machine: CPU, memory and platform under one virtual clock; runs, stops, snapshots, hashes. */

import { CpuCore } from "./cpu-core.ts";
import type { DeviceState } from "./devices/device.ts";
import type { Tier } from "./engine.ts";
import { ROWS } from "./instructions/index.ts";
import { hotForms } from "./interpreter/hot-forms.ts";
import type { BootImage, SegmentState } from "./loader/boot-image.ts";
import { LoadError } from "./loader/load-error.ts";
import { MachineMemory } from "./memory/physical-memory.ts";
import { Ports } from "./memory/port-space.ts";
import { TLB_STATE_BYTES } from "./memory/tlb.ts";
import { type Observer, Observers } from "./observers.ts";
import { PageHistory, type PageSet } from "./page-history.ts";
import { Platform, type PlatformStop } from "./platform.ts";
import { CPU_FIELDS, type Field } from "./state/cpu-fields.ts";
import type { CpuState, Segment } from "./state/cpu-state.ts";
import { getRflags } from "./state/flags.ts";
import { DATA_TLB_OFFSET, MAX_RAM_BYTES, PAGE_SIZE, RAM_BASE } from "./state/memory-map.ts";
import { interruptPossible, interruptWaits, takePendingInterrupt } from "./svm/interrupts.ts";
import { DebugCause } from "./system/delivery.ts";
import { GuestFault } from "./system/exceptions.ts";
import type { StopCause } from "./vcpu.ts";

export interface MachineOptions {
  /** A multiple of 4 KiB, at most 3 GiB. */
  readonly ramBytes: number;
  /** Unix seconds of the clock chip at tick 0. */
  readonly startTime?: number;
  /** "evaluated" checks the generated code: slow. */
  readonly tier?: Tier;
}

/** Why run() returned. Everything but "budget" and "idle" is at the instant that caused it. */
export type RunResult =
  | { readonly reason: "budget" }
  /** Nothing to execute for the idle ticks allowed; "forever" when no interrupt can end it. */
  | { readonly reason: "idle"; readonly forever: boolean }
  | { readonly reason: "observer"; readonly observer: string }
  | { readonly reason: "shutdown"; readonly faults: readonly string[] }
  | { readonly reason: "notImplemented"; readonly what: string }
  | { readonly reason: "powerOff" }
  | { readonly reason: "reset" }
  | { readonly reason: "debugExit"; readonly status: number };

export interface RunLimits {
  /** Instructions to retire at most. */
  readonly instructions: number;
  /** Virtual time that may pass in HLT without an instruction; default a minute. */
  readonly idleTicks?: number;
  /** Runs past an execute breakpoint at the present instruction. */
  readonly passBreakpoint?: boolean;
}

/** A whole machine at one instant. Opaque; good for the machine that made it. */
export interface Snapshot {
  readonly icount: number;
  readonly idleTicks: number;
  readonly pages: PageSet;
  readonly cpu: Uint8Array;
  readonly tlb: Uint8Array;
  readonly devices: DeviceState;
}

const MINUTE = 60_000_000_000;
/** Slices end this often even without an event, so that V8 can tier the interpreter up. */
const LONGEST_SLICE = 2_000_000;
const RFLAGS_TF = 0x100n;

export class Machine {
  constructor(options: MachineOptions) {
    const { ramBytes } = options;
    if (ramBytes % PAGE_SIZE !== 0 || ramBytes < 0x10_0000 || ramBytes > MAX_RAM_BYTES) {
      throw new LoadError(
        `Memory of ${ramBytes} bytes is not possible: give whole pages from 1 MiB to 3 GiB`,
      );
    }
    const pages = Math.ceil((RAM_BASE + ramBytes) / 0x1_0000);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.memory = new MachineMemory(memory, ramBytes, this.observers);
    const clock = this;
    this.platform = new Platform({
      ramBytes,
      now: () => this.ticks,
      ...(options.startTime === undefined ? {} : { startTime: options.startTime }),
      events: {
        console: (source, byte) => this.observers.emit("console", { source, byte }),
        stop: (stop) => this.stopBy(stop),
        interruptsChanged: () => this.cpu?.engine.endSlice(),
        alarmsChanged: () => this.cpu?.engine.endSlice(),
        nonMaskableInterrupt: () => {
          this.cpu.state.nmiPending = 1;
          this.cpu.engine.endSlice();
        },
      },
    });
    this.platform.attach(this.ports, this.memory);
    const { interrupts } = this.platform;
    this.cpu = new CpuCore({
      index: 0,
      physical: this.memory,
      ports: this.ports,
      interrupts,
      apic: interrupts.localApic,
      clock,
      observers: this.observers,
      engine: { rows: ROWS, tier: options.tier ?? "compiled", hotForms },
      requestStop: (cause) => this.stopFor(cause),
    });
    this.memory.onCodeWrite = (address, bytes) => this.cpu.engine.codePages.written(address, bytes);
    this.observers.onStop = (observer) => this.cpu.requestStop({ kind: "observer", observer });
    this.history = new PageHistory(this.memory);
    this.cpu.reset();
    this.cpu.deriveMode();
  }

  readonly observers = new Observers();
  readonly memory: MachineMemory;
  readonly ports = new Ports();
  readonly platform: Platform;
  readonly cpu: CpuCore;
  /** What was loaded last. */
  image: BootImage | undefined;
  private readonly history: PageHistory;
  private retired = 0;
  private idle = 0;
  private stop: RunResult | undefined;

  /** Instructions retired since reset. */
  get icount(): number {
    return this.retired + (this.cpu?.engine.retiredInSlice ?? 0);
  }

  /** Virtual time in nanoseconds. */
  get ticks(): number {
    return this.icount + this.idle;
  }

  get state(): CpuState {
    return this.cpu.state;
  }

  /** Attaches an observer; returns what detaches it. */
  observe(observer: Observer): () => void {
    return this.observers.attach(observer);
  }

  /** Places an image and sets the CPU up to start it. */
  load(image: BootImage): void {
    this.image = image;
    for (const { address, bytes } of image.writes) this.memory.poke(address, bytes);
    if (image.rom !== undefined) {
      this.memory.setRomAlias(image.rom.address, image.rom.bytes.length, romTarget(image));
    }
    const { state } = this.cpu;
    const { entry } = image;
    for (const [name, value] of Object.entries(entry.registers)) {
      const register = `r${name.slice(1)}` as "rax";
      state[register] = BigInt((value ?? 0) >>> 0);
    }
    state.rip = BigInt(entry.eip >>> 0);
    loadSegment(state.cs, entry.cs);
    for (const name of ["ds", "es", "ss", "fs", "gs"] as const) {
      loadSegment(state[name], entry.data);
    }
    state.gdtr.base = BigInt(entry.gdtr.base);
    state.gdtr.limit = entry.gdtr.limit;
    state.idtr.limit = entry.mode === "real" ? 0x3ff : 0;
    if (entry.mode === "real") state.cr0 &= ~1n;
    if (image.firmware) this.platform.setUpAsFirmware();
    this.cpu.deriveMode();
  }

  /** Runs until a limit or a stop. */
  run(limits: RunLimits): RunResult {
    const { engine } = this.cpu;
    const end = this.icount + limits.instructions;
    const idleEnd = this.idle + (limits.idleTicks ?? MINUTE);
    this.stop = undefined;
    engine.passBreakpoint = limits.passBreakpoint ?? false;
    for (;;) {
      this.platform.runAlarms(this.ticks);
      engine.guard(() => {
        takePendingInterrupt(this.cpu);
      });
      if (this.stop !== undefined) return this.stop;
      if (this.state.shutdown !== 0) return { reason: "shutdown", faults: [] };
      if (this.icount >= end) return { reason: "budget" };
      if (this.state.halted !== 0) {
        const result = this.passIdleTime(idleEnd);
        if (result !== undefined) return result;
        continue;
      }
      this.runSlice(end);
    }
  }

  /** Executes one instruction (or takes one interrupt first, as hardware does). */
  step(): RunResult {
    return this.run({ instructions: 1, passBreakpoint: true });
  }

  /** The CPU waits in HLT: virtual time goes to the next alarm. */
  private passIdleTime(idleEnd: number): RunResult | undefined {
    if (interruptPossible(this.cpu)) return undefined;
    const at = this.platform.nextAlarm();
    const masked = (getRflags(this.state) & 0x200n) === 0n && this.state.guestMode === 0;
    if (masked || at === Number.POSITIVE_INFINITY) return { reason: "idle", forever: true };
    if (this.idle >= idleEnd) return { reason: "idle", forever: false };
    this.idle += Math.max(0, at - this.ticks);
    return undefined;
  }

  private runSlice(end: number): void {
    const { cpu } = this;
    const { state } = cpu;
    const single = state.interruptShadow !== 0 || (state.flagsOther & RFLAGS_TF) !== 0n;
    state.interruptWaiting = interruptWaits(cpu) ? 1 : 0;
    const alarm = Math.max(1, this.platform.nextAlarm() - this.ticks);
    const budget = single ? 1 : Math.min(LONGEST_SLICE, end - this.icount, alarm);
    const shadowed = state.interruptShadow !== 0;
    const trap = (state.flagsOther & RFLAGS_TF) !== 0n;
    if (shadowed) state.interruptShadow = 2;
    const retired = cpu.engine.runSlice(budget);
    this.retired += retired;
    // The shadow covers one instruction; one that sets it again leaves 1.
    if (state.interruptShadow === 2) state.interruptShadow = 0;
    if (trap && retired === 1) this.singleStepTrap();
  }

  /** #DB after an instruction that began with RFLAGS.TF set (APM volume 2, section 13.1.4). */
  private singleStepTrap(): void {
    this.cpu.engine.guard(() => {
      throw new GuestFault("DB", DebugCause.singleStep);
    });
  }

  private stopFor(cause: StopCause): void {
    switch (cause.kind) {
      case "observer":
        this.stop ??= { reason: "observer", observer: cause.observer };
        break;
      case "shutdown":
        this.stop = { reason: "shutdown", faults: cause.faults };
        break;
      case "notImplemented":
        this.stop ??= { reason: "notImplemented", what: cause.what };
    }
  }

  private stopBy(stop: PlatformStop): void {
    this.stop =
      stop.kind === "debugExit"
        ? { reason: "debugExit", status: stop.status }
        : { reason: stop.kind };
    this.cpu.engine.endSlice();
  }

  // ---- snapshots ----
  snapshot(): Snapshot {
    return {
      icount: this.icount,
      idleTicks: this.idle,
      pages: this.history.take(),
      cpu: this.cpuBytes(),
      tlb: this.tlbBytes().slice(),
      devices: this.platform.save(),
    };
  }

  restore(snapshot: Snapshot): void {
    this.history.restore(snapshot.pages);
    this.retired = snapshot.icount;
    this.idle = snapshot.idleTicks;
    const view = new Uint8Array(this.memory.memory.buffer);
    let at = 0;
    for (const { offset, width } of STATE_FIELDS) {
      view.set(snapshot.cpu.subarray(at, at + width), this.state.base + offset);
      at += width;
    }
    this.tlbBytes().set(snapshot.tlb);
    this.cpu.restored();
    this.platform.restore(snapshot.devices);
  }

  /** The fields of kind "state", in table order. */
  private cpuBytes(): Uint8Array {
    const memory = new Uint8Array(this.memory.memory.buffer);
    const out = new Uint8Array(STATE_FIELDS.reduce((sum, f) => sum + f.width, 0));
    let at = 0;
    for (const { offset, width } of STATE_FIELDS) {
      const from = this.state.base + offset;
      out.set(memory.subarray(from, from + width), at);
      at += width;
    }
    return out;
  }

  private tlbBytes(): Uint8Array {
    const at = this.state.base + DATA_TLB_OFFSET;
    return new Uint8Array(this.memory.memory.buffer, at, TLB_STATE_BYTES);
  }

  /**
   * Hash of all machine state at this instant, as 16 hexadecimal digits: canonical CPU fields (flags
   * materialised), architectural TLB, devices, RAM, time. Equal states of equal machines hash equal
   * in every tier.
   */
  stateHash(): string {
    const { state } = this;
    const flags = [state.flagResult, state.flagCarries] as const;
    const rflags = getRflags(state);
    state.flagResult = rflags;
    state.flagCarries = 0n;
    const cpu = this.cpuBytes();
    [state.flagResult, state.flagCarries] = flags;
    const text = JSON.stringify([this.icount, this.idle, this.platform.save()], encodeValue);
    let hash = fold(0xcbf2_9ce4_8422_2325n, cpu);
    hash = fold(hash, this.tlbBytes());
    hash = fold(hash, new TextEncoder().encode(text));
    hash = BigInt.asUintN(64, (hash ^ this.history.hash()) * 0x100_0000_01b3n);
    return hash.toString(16).padStart(16, "0");
  }
}

const WIDTHS = { u8: 1, u16: 2, u32: 4, u64: 8, u128: 16, segment: 16, x87: 16 } as const;

const STATE_FIELDS = (Object.values(CPU_FIELDS) as Field[])
  .filter((field) => field.kind === "state")
  .map((field) => ({ offset: field.offset, width: WIDTHS[field.type] }));

function encodeValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Uint8Array) return Array.from(value);
  return value;
}

/** Two interleaved 32-bit FNV-like hashes. */
function fold(seed: bigint, bytes: Uint8Array): bigint {
  let a = Number(seed & 0xffff_ffffn);
  let b = Number(seed >> 32n);
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x0100_0193);
    b = Math.imul(b + byte, 0x85eb_ca6b) ^ (b >>> 13);
  }
  return (BigInt(b >>> 0) << 32n) | BigInt(a >>> 0);
}

function loadSegment(target: Segment, from: SegmentState): void {
  target.selector = from.selector;
  target.attributes = from.attributes;
  target.limit = from.limit;
  target.base = BigInt(from.base);
}

/** Where the ROM image's read-only copy below 1 MiB is. */
function romTarget(image: BootImage): number {
  const rom = image.rom;
  const copy = image.writes.find((w) => w.bytes.length === rom?.bytes.length);
  if (copy === undefined) throw new LoadError(`${image.name}: the ROM has no copy below 1 MiB`);
  return copy.address;
}
