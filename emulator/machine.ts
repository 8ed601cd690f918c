/** The machine: CPU, memory and platform under one virtual clock; runs, stops, snapshots, hashes. */

import { CpuCore } from "./cpu-core.ts";
import type { DeviceState } from "./devices/device.ts";
import type { Tier } from "./engine.ts";
import { type Changes, differences, ENTER, type Input } from "./inputs.ts";
import { ROWS } from "./instructions/index.ts";
import { hotForms } from "./interpreter/hot-forms.ts";
import type { BootImage, MemoryWrite, SegmentState } from "./loader/boot-image.ts";
import { LoadError } from "./loader/load-error.ts";
import { MachineMemory } from "./memory/physical-memory.ts";
import { Ports } from "./memory/port-space.ts";
import { TLB_STATE_BYTES } from "./memory/tlb.ts";
import { type Observer, Observers } from "./observers.ts";
import { PageHistory, PageSet } from "./page-history.ts";
import { Platform, type PlatformStop } from "./platform.ts";
import { Rom } from "./rom.ts";
import type { CpuState, Segment } from "./state/cpu-state.ts";
import { readFieldBytes, writeFieldBytes } from "./state/field-bytes.ts";
import { flagMask, getFlag } from "./state/flags.ts";
import { DATA_TLB_OFFSET, MAX_RAM_BYTES, PAGE_SIZE, RAM_BASE } from "./state/memory-map.ts";
import { hashState } from "./state-hash.ts";
import { interruptPossible, interruptWaits, takePendingInterrupt } from "./svm/interrupts.ts";
import { DebugCause } from "./system/delivery.ts";
import { GuestFault } from "./system/exceptions.ts";
import type { Instant } from "./time/instant.ts";
import type { Clock, StopCause } from "./vcpu.ts";

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
  /** `value` was written to the debug-exit port; `status` is QEMU's exit status for it. */
  | { readonly reason: "debugExit"; readonly value: number; readonly status: number };

export interface RunLimits {
  /** Instructions to retire at most. */
  readonly instructions: number;
  /** Virtual time that may pass in HLT without an instruction; default a minute. */
  readonly idleTicks?: number;
  /**
   * Stops as soon as this holds, as an observer named "until" would. It is asked after every instruction, exception and #VMEXIT, not
   * before the first; that makes the run some ten times slower: an observer is cheaper where it
   * serves. It must not change the machine.
   */
  readonly until?: () => boolean;
  /** Runs past an execute breakpoint at the present instruction. */
  readonly passBreakpoint?: boolean;
}

/** A whole machine at one instant. Opaque; good for the machine that made it. */
export interface Snapshot extends Instant {
  readonly pages: PageSet;
  readonly cpu: Uint8Array;
  readonly tlb: Uint8Array;
  readonly devices: DeviceState;
}

/** Memory that a snapshot holds beside those before it, nearly: what devices hold is left out. */
export function snapshotBytes({ pages, cpu, tlb }: Snapshot): number {
  return pages.bytes + cpu.length + tlb.length;
}

/** The same again: good until it is forgotten itself, whatever becomes of the other. */
export function heldSnapshot(snapshot: Snapshot): Snapshot {
  return { ...snapshot, pages: new PageSet(snapshot.pages, new Map()) };
}

const MINUTE = 60_000_000_000;
/** Slices end this often even without an event, so that V8 can tier the interpreter up. */
const LONGEST_SLICE = 2_000_000;
/** Value of interruptShadow while the instruction that it covers runs. */
const SHADOW_AT_WORK = 2;
/** The ROM's copy in RAM ends here. */
const SHADOW_END = 0x10_0000;
const RFLAGS_TF = flagMask("TF");
const RFLAGS_RF = flagMask("RF");

export class Machine implements Changes {
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
    const clock: Clock = clockOf(this);
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
    this.memory.onDeviceAccess = (access) => {
      if (!this.observers.wants("deviceMemory")) return;
      this.observers.emit("deviceMemory", { ...access, guest: this.state.guestMode !== 0 });
    };
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

  /** The present instant. */
  get instant(): Instant {
    return { icount: this.icount, idleTicks: this.idle, events: this.cpu.engine.events };
  }

  /** Attaches an observer; returns what detaches it. */
  observe(observer: Observer): () => void {
    // The choice of what runs (one instruction at a time for "retire") is made between slices.
    this.cpu.engine.endSlice();
    return this.observers.attach(observer);
  }

  /** Places an image and sets the CPU up to start it. */
  load(image: BootImage): void {
    this.image = image;
    for (const { address, bytes } of image.writes) this.memory.poke(address, bytes);
    if (image.rom !== undefined) {
      this.placeRom(image.name, image.rom, image.writes);
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

  /** The ROM below 4 GiB; its top, copied below 1 MiB by the image's writes, is RAM made read-only. */
  private placeRom(name: string, rom: MemoryWrite, writes: readonly MemoryWrite[]): void {
    const { address, bytes } = rom;
    const shadow = writes.find((w) => w.address + w.bytes.length === SHADOW_END);
    if (shadow === undefined) throw new LoadError(`${name}: the ROM has no copy below 1 MiB`);
    const above = bytes.length - shadow.bytes.length;
    this.memory.setRomAlias(address + above, shadow.bytes.length, shadow.address);
    if (above === 0) return;
    this.memory.attachMmio(new Rom(address, bytes.subarray(0, above)), address, above);
  }

  /**
   * Runs until a limit or a stop. How a run is divided into calls changes nothing: at the instant
   * between two calls, what is due before the next instruction (a trap, interrupts) is still due.
   */
  run(limits: RunLimits): RunResult {
    const { engine } = this.cpu;
    const end = this.icount + Math.floor(limits.instructions);
    const idleEnd = this.idle + (limits.idleTicks ?? MINUTE);
    this.stop = undefined;
    engine.passBreakpointHere(limits.passBreakpoint ?? false);
    for (;;) {
      this.platform.runAlarms(this.ticks);
      if (this.stop !== undefined) return this.stop;
      if (this.state.shutdown !== 0) return { reason: "shutdown", faults: [] };
      if (this.icount >= end) return { reason: "budget" };
      this.takeEvents();
      if (this.stop !== undefined) return this.stop;
      if (this.state.halted !== 0) {
        const result = this.passIdleTime(idleEnd);
        if (result !== undefined) return result;
        continue;
      }
      this.runSlice(end, limits.until !== undefined);
      if (this.stop === undefined && limits.until?.()) {
        return { reason: "observer", observer: "until" };
      }
    }
  }

  /** What comes between two instructions: the trap of the last one, then every interrupt possible. */
  private takeEvents(): void {
    const { engine } = this.cpu;
    const { state } = this;
    // MOV SS and POP SS hold the trap of their own operand's breakpoint off for an instruction.
    const met = state.interruptShadow === 0 ? state.breakpointsMet : 0;
    const cause = (state.trapDue !== 0 ? DebugCause.singleStep : 0) | met;
    if (cause !== 0) {
      state.trapDue = 0;
      state.breakpointsMet = 0;
      engine.guard(() => {
        throw new GuestFault("DB", cause);
      });
    }
    while (this.stop === undefined && interruptPossible(this.cpu)) {
      engine.events++;
      engine.guard(() => takePendingInterrupt(this.cpu));
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
    const { state } = this;
    const masked = state.guestMode === 0 && (state.gif === 0 || !getFlag(state, "IF"));
    if (masked || at === Number.POSITIVE_INFINITY) return { reason: "idle", forever: true };
    if (this.idle >= idleEnd) return { reason: "idle", forever: false };
    this.idle += Math.max(0, at - this.ticks);
    return undefined;
  }

  private runSlice(end: number, single: boolean): void {
    const { cpu, observers } = this;
    const { state } = cpu;
    state.interruptWaiting = interruptWaits(cpu) ? 1 : 0;
    const shadowed = state.interruptShadow !== 0;
    const trap = (state.flagsOther & RFLAGS_TF) !== 0n;
    const resuming = (state.flagsOther & RFLAGS_RF) !== 0n;
    const traced = observers.wants("retire");
    const alarm = Math.max(1, this.platform.nextAlarm() - this.ticks);
    const longest = single || shadowed || trap || resuming || traced ? 1 : LONGEST_SLICE;
    if (shadowed) state.interruptShadow = SHADOW_AT_WORK;
    // #DB follows an instruction that began with RFLAGS.TF set (APM volume 2, section 13.1.4).
    state.trapDue = trap ? 1 : 0;
    state.resumeFlagLoaded = 0;
    const { rip } = state;
    const retired = cpu.engine.runSlice(Math.min(longest, end - this.icount, alarm));
    this.retired += retired;
    // A stop at a breakpoint executes nothing: trap and shadow belong to the instruction yet to come.
    const executed = retired > 0 || state.exitRequest !== 0;
    if (!executed) state.trapDue = 0;
    // The shadow covers one instruction; one that sets it again leaves 1.
    if (state.interruptShadow === SHADOW_AT_WORK) state.interruptShadow = executed ? 0 : 1;
    // RF covers one instruction too, up to the last iteration of a repeated one (section 3.1.6).
    if (resuming && retired === 1 && state.resumeFlagLoaded === 0 && state.rip !== rip) {
      state.flagsOther &= ~RFLAGS_RF;
    }
    if (traced && retired === 1) observers.emit("retire", { rip });
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
        ? { reason: "debugExit", value: stop.value, status: (stop.value * 2 + 1) & 0xff }
        : { reason: stop.kind };
    this.cpu.engine.endSlice();
  }

  // ---- from outside ----
  /** The one way in for what a run depends on beside its image; observers are told. */
  enter(input: Input): void {
    (ENTER[input.kind] as (machine: Machine, input: Input) => void)(this, input);
    this.observers.emit("input", { input });
  }

  /** Lets `change` set CPU state as a debugger does: translations and all that is derived are made anew. */
  edit(change: (state: CpuState) => void): void {
    const before = readFieldBytes(this.memory.memory, this.state.base);
    change(this.state);
    const after = readFieldBytes(this.memory.memory, this.state.base);
    this.enter({ kind: "cpu", runs: differences(before, after) });
  }

  // ---- snapshots ----
  snapshot(): Snapshot {
    return {
      icount: this.icount,
      idleTicks: this.idle,
      events: this.cpu.engine.events,
      pages: this.history.take(),
      cpu: readFieldBytes(this.memory.memory, this.state.base),
      tlb: this.tlbBytes().slice(),
      devices: this.platform.save(),
    };
  }

  restore(snapshot: Snapshot): void {
    this.history.restore(snapshot.pages);
    this.retired = snapshot.icount;
    this.idle = snapshot.idleTicks;
    this.cpu.engine.events = snapshot.events;
    writeFieldBytes(this.memory.memory, this.state.base, snapshot.cpu);
    this.tlbBytes().set(snapshot.tlb);
    this.cpu.restored();
    this.platform.restore(snapshot.devices);
  }

  /** The snapshot is not restored any more: what only it holds is let go. */
  forget(snapshot: Snapshot): void {
    this.history.forget(snapshot.pages);
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
    return hashState({
      memory: this.memory.memory,
      cpu: this.state,
      tlb: this.tlbBytes(),
      devices: this.platform.save(),
      time: [this.icount, this.idle, this.cpu.engine.events],
      ram: this.history.hash(),
    });
  }
}

/** The machine's time, for its CPUs and chips. */
function clockOf(machine: Machine): Clock {
  return {
    get icount() {
      return machine.icount;
    },
    get ticks() {
      return machine.ticks;
    },
  };
}

function loadSegment(target: Segment, from: SegmentState): void {
  target.selector = from.selector;
  target.attributes = from.attributes;
  target.limit = from.limit;
  target.base = BigInt(from.base);
}
