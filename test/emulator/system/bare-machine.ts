/** A CPU over flat, identity-mapped memory: enough machine for the semantics of system instructions. */
import { Decoder } from "../../../emulator/decode/decoder.ts";
import { Evaluator } from "../../../emulator/evaluator/evaluator.ts";
import { performChecks } from "../../../emulator/execute.ts";
import type { Execution } from "../../../emulator/execution.ts";
import { ROWS } from "../../../emulator/instructions/index.ts";
import { Observers } from "../../../emulator/observers.ts";
import { type CpuState, createCpuState } from "../../../emulator/state/cpu-state.ts";
import { Attribute } from "../../../emulator/system/descriptors.ts";
import { EXCEPTIONS, GuestFault } from "../../../emulator/system/exceptions.ts";
import { is64Bit } from "../../../emulator/system/mode.ts";
import { deriveSegmentLimits } from "../../../emulator/system/segment-access.ts";
import type {
  InterruptSource,
  Mmu,
  PhysicalMemory,
  PortSpace,
  StopCause,
  Vcpu,
} from "../../../emulator/vcpu.ts";

const MEMORY_BYTES = 0x10_0000;

export interface BareMachine {
  readonly cpu: Vcpu;
  readonly state: CpuState;
  readonly stops: StopCause[];
  /** Port accesses: "in 60/1", "out 80/2 1234". */
  readonly portLog: string[];
  /** Linear pages (address >> 12) that fault when touched. */
  readonly absent: Set<number>;
  read(address: number, size: number): bigint;
  write(address: number, size: number, value: bigint | number): void;
  /** Runs one instruction at rip; the exception that ended it ("GP(18)"), or "". */
  run(...bytes: number[]): string;
}

const DECODER = new Decoder(ROWS);

function codeSize(state: CpuState): 16 | 32 | 64 {
  if (is64Bit(state)) return 64;
  return (state.cs.attributes & Attribute.big) !== 0 ? 32 : 16;
}

/** A part that a test does not reach. */
function absentPart<T extends object>(name: string, methods: Partial<T>): T {
  return new Proxy(methods, {
    get: (target, key) => {
      if (key in target) return target[key as keyof typeof target];
      throw new Error(`The test machine has no ${name}.${String(key)}`);
    },
  }) as T;
}

export function createBareMachine(): BareMachine {
  const linear = new WebAssembly.Memory({ initial: 1 });
  const state = createCpuState(linear, 0);
  const portLog: string[] = [];
  state.flagsOther = 2n;
  const view = new DataView(new ArrayBuffer(MEMORY_BYTES));
  const absent = new Set<number>();
  const stops: StopCause[] = [];
  const read = (address: number, size: number): bigint => {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(address + i));
    return value;
  };
  const write = (address: number, size: number, value: bigint | number): void => {
    for (let i = 0; i < size; i++) {
      view.setUint8(address + i, Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));
    }
  };
  const check = (start: bigint, size: number, code: number): number => {
    for (const at of [start, start + BigInt(size - 1)]) {
      if (at >= BigInt(MEMORY_BYTES) || absent.has(Number(at >> 12n))) {
        throw new GuestFault("PF", code, at);
      }
    }
    return Number(start);
  };
  let taskPriority = 0;
  let apicBase = 0xfee0_0900n;
  const cpu: Vcpu = {
    index: 0,
    state,
    physical: absentPart<PhysicalMemory>("physical", { memory: linear, readEntry: read }),
    mmu: absentPart<Mmu>("mmu", {
      read: (at, size) => read(check(at, size, 0), size),
      write: (at, size, value) => write(check(at, size, 2), size, value),
      probeWrite: (at, size) => void check(at, size, 2),
      flushAsid: () => {},
      flushNonGlobal: () => {},
      flushPage: () => {},
    }),
    ports: absentPart<PortSpace>("ports", {
      read: (port, size) => {
        portLog.push(`in ${port.toString(16)}/${size}`);
        return 0xa5a5_a5a5;
      },
      write: (port, size, value) => {
        portLog.push(`out ${port.toString(16)}/${size} ${value.toString(16)}`);
      },
    }),
    interrupts: absentPart<InterruptSource>("interrupts", {
      getTaskPriority: () => taskPriority,
      setTaskPriority: (priority) => {
        taskPriority = priority;
      },
    }),
    clock: { icount: 1000, ticks: 1000 },
    observers: new Observers(),
    hooks: { interceptException: () => {}, interceptShutdown: () => {}, noteDelivery: () => {} },
    apic: {
      getApicBase: () => apicBase,
      setApicBase: (value) => {
        apicBase = value;
        return true;
      },
      readMsr: (msr) => (msr === 0x802 ? 0n : undefined),
      writeMsr: (msr) => msr === 0x80b,
    },
    deriveMode: () => deriveSegmentLimits(state),
    requestStop: (cause) => void stops.push(cause),
    recheckInterrupts: () => {},
  };
  const evaluator = new Evaluator({
    cpu,
    endSlice: () => {},
    instructionBytes: () => new Uint8Array(),
  });
  const run = (...bytes: number[]): string => {
    try {
      const decoded = DECODER.decode(Uint8Array.from(bytes), codeSize(state));
      if (typeof decoded === "string") return "UD";
      evaluator.begin(decoded);
      performChecks(evaluator, decoded.form.row);
      evaluator.evaluate(decoded);
    } catch (fault) {
      if (!(fault instanceof GuestFault)) throw fault;
      const { exception, errorCode } = fault;
      return EXCEPTIONS[exception].code ? `${exception}(${errorCode.toString(16)})` : exception;
    }
    if (state.exitRequest === 0) state.rip = state.nextRip;
    state.exitRequest = 0;
    return "";
  };
  return { cpu, state, stops, portLog, absent, read, write, run };
}

/** What a far transfer or IRET sees of its instruction. */
export function instruction(machine: BareMachine, operandSize: 2 | 4 | 8, length = 2): Execution {
  const { cpu, state } = machine;
  const { rip } = state;
  return absentPart<Execution>("execution", {
    cpu,
    rip,
    length,
    operandSize,
    nextRip: () => rip + BigInt(length),
    setNextRip: (next) => {
      state.rip = next;
    },
  });
}

/** The architectural registers that an event and its return must put back. */
export function context(state: CpuState): Record<string, unknown> {
  const { rip, rsp, cpl, flagsOther } = state;
  const segments = (["cs", "ss", "ds", "es", "fs", "gs"] as const).map((name) => {
    const { selector, attributes, limit, base } = state[name];
    return { name, selector, attributes, limit, base };
  });
  return { rip, rsp, cpl, flagsOther, segments };
}
