/** One virtual CPU put together: state, memory, and the mode-dependent state derived from them. */

import type { EngineOptions } from "./engine.ts";
import { Engine } from "./engine.ts";
import type { StateRun } from "./inputs.ts";
import { CpuPorts, type PortAccess } from "./memory/cpu-ports.ts";
import { LinearMemory } from "./memory/mmu.ts";
import type { MachineMemory } from "./memory/physical-memory.ts";
import type { Observers } from "./observers.ts";
import { type CpuState, createCpuState } from "./state/cpu-state.ts";
import { readFieldBytes, writeFieldBytes } from "./state/field-bytes.ts";
import { setRflags } from "./state/flags.ts";
import { CPU_BASE, CPU_STRIDE } from "./state/memory-map.ts";
import { svmHooks } from "./svm/exception-intercept.ts";
import { DebugBreakpoints } from "./system/debug-breakpoints.ts";
import { DR6_RESET, DR7_RESET } from "./system/debug-registers.ts";
import type { DeliveryHooks, LocalApicRegisters } from "./system/hooks.ts";
import { CR0, CR4 } from "./system/mode.ts";
import { resetMsrs } from "./system/msrs.ts";
import { deriveSegmentLimits } from "./system/segment-access.ts";
import type { Clock, InterruptSource, PortSpace, StopCause, Vcpu } from "./vcpu.ts";

/** Forgets the fetch windows whenever the instruction TLB may have lost its page. */
class CpuMemory extends LinearMemory {
  dropWindows: () => void = () => {};

  override flushNonGlobal(): void {
    super.flushNonGlobal();
    this.dropWindows();
  }
  override flushAll(): void {
    super.flushAll();
    this.dropWindows();
  }
  override flushAsid(asid: number, keepGlobal: boolean): void {
    super.flushAsid(asid, keepGlobal);
    this.dropWindows();
  }
  override flushPage(linear: bigint, asid: number): void {
    super.flushPage(linear, asid);
    this.dropWindows();
  }
}

export interface CpuSurroundings {
  readonly index: number;
  readonly physical: MachineMemory;
  readonly ports: PortSpace;
  readonly interrupts: InterruptSource;
  readonly apic: LocalApicRegisters;
  readonly clock: Clock;
  readonly observers: Observers;
  readonly engine: EngineOptions;
  readonly requestStop: (cause: StopCause) => void;
}

export class CpuCore implements Vcpu {
  constructor(around: CpuSurroundings) {
    this.index = around.index;
    this.physical = around.physical;
    this.interrupts = around.interrupts;
    this.apic = around.apic;
    this.clock = around.clock;
    this.observers = around.observers;
    this.ports = new CpuPorts(around.ports, (access) => this.accessedPort(access));
    this.stopMachine = around.requestStop;
    const base = CPU_BASE + around.index * CPU_STRIDE;
    this.state = createCpuState(around.physical.memory, base);
    this.mmu = new CpuMemory(around.physical, this.state);
    this.mmu.watches.onAccess = (access) => {
      this.debugBreakpoints.accessed(access.linear, access.size, access.write);
      this.observers.emit("linearAccess", access);
    };
    this.hooks = svmHooks(this.state);
    this.engine = new Engine(this, around.engine);
    this.debugBreakpoints = new DebugBreakpoints({
      state: this.state,
      markInstructions: (offset, by) => this.engine.markInstructions(offset, by),
      watchLinear: (linear) => this.mmu.watchLinear(linear),
      endSlice: () => this.engine.endSlice(),
    });
    this.engine.debugBreakpoints = (linear) => this.debugBreakpoints.atInstruction(linear);
    this.mmu.dropWindows = () => this.engine.windows.dropAll();
  }
  readonly index: number;
  readonly state: CpuState;
  readonly physical: MachineMemory;
  readonly mmu: CpuMemory;
  readonly ports: PortSpace;
  readonly interrupts: InterruptSource;
  readonly apic: LocalApicRegisters;
  readonly clock: Clock;
  readonly observers: Observers;
  readonly hooks: DeliveryHooks;
  readonly engine: Engine;
  private readonly debugBreakpoints: DebugBreakpoints;
  private readonly stopMachine: (cause: StopCause) => void;

  deriveMode(): void {
    const { state } = this;
    deriveSegmentLimits(state);
    this.mmu.selectBank();
    const blocked = (state.cr0 & (CR0.EM | CR0.TS)) !== 0n || (state.cr4 & CR4.OSFXSR) === 0n;
    state.unitTraps = blocked ? 1 : 0;
    this.engine.selectWindows();
    this.debugBreakpoints.update();
  }

  private accessedPort({ value, ...access }: PortAccess): void {
    this.debugBreakpoints.accessedPort(access.port, access.size);
    if (!this.observers.wants("port")) return;
    const guest = this.state.guestMode !== 0;
    this.observers.emit("port", { ...access, value: BigInt(value >>> 0), guest });
  }

  requestStop(cause: StopCause): void {
    this.stopMachine(cause);
    this.engine.endSlice();
  }

  recheckInterrupts(): void {
    this.engine.endSlice();
  }

  /** Puts bytes into the state as saved, as a debugger's change: no translation made before stays. */
  patch(runs: readonly StateRun[]): void {
    const { memory } = this.physical;
    const bytes = readFieldBytes(memory, this.state.base);
    for (const { offset, bytes: changed } of runs) bytes.set(changed, offset);
    writeFieldBytes(memory, this.state.base, bytes);
    this.state.nextRip = this.state.rip;
    this.mmu.flushAll();
    this.restored();
  }

  /** Everything derived is made anew after state came back from a snapshot. */
  restored(): void {
    this.mmu.restored();
    this.engine.windows.dropAll();
    this.deriveMode();
  }

  /** Power-on state, but for what a loader sets (APM volume 2, table 14-1). */
  reset(): void {
    const { state } = this;
    resetMsrs(state);
    state.cr0 = CR0.PE | CR0.ET;
    state.dr6 = DR6_RESET;
    state.dr7 = DR7_RESET;
    state.mxcsr = 0x1f80;
    state.fcw = 0x037f;
    state.ftw = 0xffff;
    state.gif = 1;
    setRflags(state, 2n);
  }
}
