/** A CPU at privilege level 3 with nothing but a code page and a data page, to replay vectors on. */

import { Decoder } from "../../../emulator/decode/decoder.ts";
import type { Form } from "../../../emulator/decode/form.ts";
import { type Instruction, writeRecord } from "../../../emulator/decode/instruction.ts";
import { Evaluator } from "../../../emulator/evaluator/evaluator.ts";
import { INTEGER_ROWS } from "../../../emulator/instructions/index.ts";
import { compileForm } from "../../../emulator/interpreter/form-compiler.ts";
import { type ImportName, THROUGH_STACK } from "../../../emulator/interpreter/runtime.ts";
import { GENERAL_REGISTERS, SEGMENT_REGISTERS } from "../../../emulator/state/cpu-fields.ts";
import { type CpuState, createCpuState, ExitRequest } from "../../../emulator/state/cpu-state.ts";
import { getRflags, setRflags } from "../../../emulator/state/flags.ts";
import { CPU_BASE } from "../../../emulator/state/memory-map.ts";
import { EXCEPTIONS, exceptionName, GuestFault } from "../../../emulator/system/exceptions.ts";
import { CR0, CR4, EFER } from "../../../emulator/system/mode.ts";
import { checkAccess, deriveSegmentLimits } from "../../../emulator/system/segment-access.ts";
import type { Vcpu } from "../../../emulator/vcpu.ts";
import {
  type Bits,
  CODE_ADDRESS,
  COMPARED_FLAGS,
  codeOffset,
  DATA_ADDRESS,
  dataOffset,
  type Vector,
  WINDOW,
} from "../../harness/host-oracle/vector.ts";
import { TwoPages } from "./two-pages.ts";

/** Flat user segments: present, DPL 3; data is writable and has the stack size of its code. */
const USER_CODE_64 = 0xafb;
const USER_CODE_32 = 0xcfb;
const USER_CODE_16 = 0x0fb;
const USER_DATA = 0xcf3;
const USER_DATA_16 = 0x0f3;

/** Offset of the instruction and of the window in their pages. */
const PLACE = 0x800;
const BREAKPOINT = 0xcc;
/** REP instructions of the vectors take a handful of iterations. */
const MOST_ITERATIONS = 100;
const RECORD_AT = 0x2f0000;

/** What became of a vector's input. */
export type Outcome = Pick<Vector, "after" | "rip" | "exception">;

/** How semantics are carried out: by the evaluator, or as WebAssembly through fast or slow paths. */
export type Tier = "evaluated" | "compiled" | "compiledSlow";

type CompiledForm = (cpu: number, record: number, next: bigint) => bigint;

function setUp(state: CpuState, bits: Bits): void {
  state.cr0 = CR0.PE | CR0.PG | CR0.ET;
  state.cr4 = CR4.PAE;
  state.efer = EFER.LMA | EFER.LME;
  state.cpl = 3;
  const small = bits === 16;
  const limit = small ? 0xffff : 0xffffffff;
  for (const name of ["es", "ss", "ds"] as const) {
    const attributes = small ? USER_DATA_16 : USER_DATA;
    const base = DATA_ADDRESS - dataOffset(bits);
    Object.assign(state[name], { limit, base, selector: 0x2b, attributes });
  }
  const attributes = { 64: USER_CODE_64, 32: USER_CODE_32, 16: USER_CODE_16 }[bits];
  const base = CODE_ADDRESS - codeOffset(bits);
  Object.assign(state.cs, { limit, base, selector: 0x33, attributes });
  deriveSegmentLimits(state);
}

export class TwoPageCpu {
  readonly decoder = new Decoder(INTEGER_ROWS);
  private readonly memory = new WebAssembly.Memory({ initial: 64 });
  private readonly state = createCpuState(this.memory, CPU_BASE);
  private readonly pages = new TwoPages(this.memory, this.state);
  private readonly evaluator: Evaluator;
  private readonly compiled = new Map<Form, CompiledForm>();
  private fault: unknown;

  constructor() {
    const cpu: Pick<Vcpu, "state" | "mmu" | "physical"> = {
      state: this.state,
      mmu: this.pages as unknown as Vcpu["mmu"],
      physical: { memory: this.memory } as unknown as Vcpu["physical"],
    };
    this.evaluator = new Evaluator({
      cpu: cpu as Vcpu,
      endSlice: () => {},
      instructionBytes: (length) => this.pages.code.slice(PLACE, PLACE + length),
    });
  }

  decode(vector: Vector): Instruction | undefined {
    const bytes = new Uint8Array(15).fill(BREAKPOINT);
    bytes.set(vector.code);
    const instruction = this.decoder.decode(bytes, vector.bits);
    return typeof instruction === "string" ? undefined : instruction;
  }

  /** Loads the vector's input, runs its instruction, and says what came of it. */
  replay(vector: Vector, instruction: Instruction | undefined, tier: Tier): Outcome {
    const { state, pages } = this;
    setUp(state, vector.bits);
    GENERAL_REGISTERS.forEach((name, i) => {
      state[name] = vector.before.registers[i] ?? 0n;
    });
    setRflags(state, vector.before.flags | 0x202n);
    state.rip = codeOffset(vector.bits);
    state.exitRequest = 0;
    pages.useFastTags(tier === "compiled");
    pages.code.fill(BREAKPOINT);
    pages.code.set(vector.code, PLACE);
    pages.data.fill(0);
    pages.data.set(vector.before.memory, PLACE);
    const exception = this.run(instruction, tier);
    return {
      after: {
        registers: GENERAL_REGISTERS.map((name) => state[name]),
        flags: getRflags(state) & COMPARED_FLAGS,
        memory: pages.data.slice(PLACE, PLACE + WINDOW),
      },
      rip: state.rip,
      exception,
    };
  }

  private run(instruction: Instruction | undefined, tier: Tier): number | undefined {
    if (instruction === undefined) return EXCEPTIONS.UD.vector;
    const { state } = this;
    const evaluated = tier === "evaluated" || instruction.form.row.semantics === undefined;
    try {
      for (let i = 0; i < MOST_ITERATIONS; i++) {
        if (evaluated) this.evaluator.evaluate(instruction);
        else this.runCompiled(instruction);
        const again = state.nextRip === state.rip;
        state.rip = state.nextRip;
        if (!again) return undefined;
      }
    } catch (fault) {
      if (fault instanceof GuestFault) return EXCEPTIONS[fault.exception].vector;
      throw fault;
    }
    throw new Error("The instruction repeats without end");
  }

  private runCompiled(instruction: Instruction): void {
    const { state } = this;
    let form = this.compiled.get(instruction.form);
    if (form === undefined) {
      form = this.compile(instruction.form);
      this.compiled.set(instruction.form, form);
    }
    writeRecord(new DataView(this.memory.buffer), RECORD_AT, 0, instruction);
    const next = form(CPU_BASE, RECORD_AT, state.rip + BigInt(instruction.length));
    if (state.exitRequest !== 0) throw this.fault;
    state.nextRip = BigInt.asUintN(64, next);
  }

  private compile(form: Form): CompiledForm {
    const module = new WebAssembly.Module(compileForm(form));
    const { exports } = new WebAssembly.Instance(module, { m: this.imports() });
    return exports.form as CompiledForm;
  }

  private imports(): Record<string, unknown> {
    const { pages, state } = this;
    const abort = (fault: unknown): void => {
      this.fault = fault;
      state.exitRequest = ExitRequest.aborted;
    };
    /** Runs `body`; `aborted` is the answer where it faults. */
    const guard = (aborted: number, body: () => number): number => {
      try {
        return body();
      } catch (fault) {
        abort(fault);
        return aborted;
      }
    };
    const never = (): never => {
      throw new Error("Not for a single form");
    };
    const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
    const imports: Record<ImportName, unknown> = {
      readSlow: (at: bigint, size: number) =>
        guard(0, () => pages.readSlow(unsigned(at), size & ~THROUGH_STACK)),
      writeSlow: (at: bigint, size: number) =>
        guard(0, () => pages.writeSlow(unsigned(at), size & ~THROUGH_STACK)),
      modifySlow: (at: bigint, size: number) =>
        guard(0, () => pages.modifySlow(unsigned(at), size & ~THROUGH_STACK)),
      commitWrite: () =>
        guard(1, () => {
          pages.commitWrite();
          return 0;
        }),
      checkSegment: (segment: number, offset: bigint, size: number, write: number) =>
        guard(1, () => {
          const name = SEGMENT_REGISTERS[segment] ?? "ds";
          checkAccess(state, name, unsigned(offset), size, write !== 0);
          return 0;
        }),
      raise: (vector: number, errorCode: number) =>
        abort(new GuestFault(exceptionName(vector) ?? "GP", errorCode)),
      check: () => 0,
      endSlice: () => {},
      complex: never,
      fetchWindow: never,
      decode: never,
      breakpoint: never,
    };
    const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
    return { memory: this.memory, table, ...imports };
  }
}
