/**
 * Executes one vCPU's instructions: decodes into code pages, runs the generated interpreter in
 * slices of an exact budget, and turns faults and intercepts into deliveries and exits.
 */
import { CodePages } from "./decode/code-pages.ts";
import { CrossingInstructions } from "./decode/crossing-instructions.ts";
import { type CodeSize, Decoder, LONGEST_INSTRUCTION } from "./decode/decoder.ts";
import { FetchWindows } from "./decode/fetch-windows.ts";
import type { Form } from "./decode/form.ts";
import { type Instruction, RECORD, readRecord, writeRecord } from "./decode/instruction.ts";
import { Evaluator } from "./evaluator/evaluator.ts";
import { performChecks } from "./execute.ts";
import { EVERYWHERE, ExecuteBreakpoints } from "./execute-breakpoints.ts";
import type { Row } from "./instructions/row.ts";
import { compileForm } from "./interpreter/form-compiler.ts";
import { buildMainLoop, Handler } from "./interpreter/main-loop.ts";
import { type ImportName, THROUGH_STACK } from "./interpreter/runtime.ts";
import { SEGMENT_REGISTERS } from "./state/cpu-fields.ts";
import { ExitRequest } from "./state/cpu-state.ts";
import { PAGE_SIZE } from "./state/memory-map.ts";
import { performExit } from "./svm/vmexit.ts";
import { raiseFault } from "./system/delivery.ts";
import { Attribute } from "./system/descriptors.ts";
import { exceptionName, GuestFault, InterceptExit } from "./system/exceptions.ts";
import { FEATURES } from "./system/features.ts";
import { is64Bit } from "./system/mode.ts";
import { checkAccess } from "./system/segment-access.ts";
import type { PhysicalAddress, Vcpu } from "./vcpu.ts";

/** Table entries for compiled forms. */
const TABLE_SIZE = 0x8000;
/** Stands for all pages that are not RAM: their instructions are decoded every time. */
const OUTSIDE_RAM = 2 ** 45;

/** Execution strategy: "evaluated" runs every row through the evaluator, to check the other. */
export type Tier = "compiled" | "evaluated";

export interface EngineOptions {
  readonly rows: readonly Row[];
  readonly tier: Tier;
  readonly hotForms: (decoder: Decoder) => readonly Form[];
}

export class Engine {
  constructor(cpu: Vcpu, options: EngineOptions) {
    this.cpu = cpu;
    this.tier = options.tier;
    const { physical } = cpu;
    this.view = new DataView(physical.memory.buffer);
    const implemented = (row: Row): boolean => row.feature === undefined || FEATURES[row.feature];
    this.decoder = new Decoder([...options.rows.filter(implemented), INVALID]);
    this.crossings = new CrossingInstructions(this.decoder);
    this.invalid = this.invalidForms();
    this.windows = new FetchWindows(physical.memory, cpu.state);
    this.codePages = new CodePages(physical, () => this.windows.dropAll());
    this.evaluator = new Evaluator({
      cpu,
      endSlice: () => this.endSlice(),
      instructionBytes: (length) => this.fetchBytes(length),
    });
    this.imports = this.makeImports();
    const hot = options.tier === "compiled" ? options.hotForms(this.decoder) : [];
    hot.forEach((form, i) => {
      this.handlers[form.id] = Handler.firstHot + i;
    });
    this.run = this.instantiate(buildMainLoop(hot)).run as (cpu: number) => void;
    this.nextHandler = Handler.firstHot + hot.length;
  }

  readonly cpu: Vcpu;
  readonly decoder: Decoder;
  private readonly crossings: CrossingInstructions;
  readonly codePages: CodePages;
  readonly windows: FetchWindows;
  readonly evaluator: Evaluator;
  private readonly breakpoints = new ExecuteBreakpoints(
    (offset) => this.codePages.dropOffset(offset),
    () => this.selectBreakpoints(this.isFlat(this.codeSize())),
  );
  /** Faults, interrupts and exits so far: what takes the place of an instruction or comes between two. */
  events = 0;
  /** Deterministic counts of work outside generated code; not machine state. */
  readonly counters = {
    returns: 0,
    decodes: 0,
    windows: 0,
    complex: 0,
    aborts: 0,
    compiledForms: 0,
  };
  /** Linear address of the instruction that is to run past its breakpoint, once. */
  private passed: bigint | undefined;

  /** DR6 bits of the debug registers' breakpoints on the instruction at a linear address. */
  debugBreakpoints: (linear: bigint) => number = () => 0;

  private readonly tier: Tier;
  private readonly view: DataView;
  private readonly invalid: ReadonlyMap<CodeSize, Form>;
  private readonly table = new WebAssembly.Table({ element: "anyfunc", initial: TABLE_SIZE });
  private readonly imports: Record<string, unknown>;
  private readonly run: (cpu: number) => void;
  private readonly handlers: (number | undefined)[] = [];
  private nextHandler: number;
  private granted = 0;
  private failure: unknown;

  /** Instructions retired in the current slice so far. */
  get retiredInSlice(): number {
    return this.granted - this.cpu.state.budget;
  }

  /**
   * Runs up to `budget` instructions; fewer when one aborts or endSlice() is called. Returns how
   * many retired.
   */
  runSlice(budget: number): number {
    const { state } = this.cpu;
    state.ticksAtSliceEnd = BigInt(Math.trunc(this.cpu.clock.ticks) + budget);
    state.budget = budget;
    state.exitRequest = 0;
    this.granted = budget;
    this.run(state.base);
    this.counters.returns++;
    const retired = this.granted - state.budget;
    this.granted = 0;
    state.budget = 0;
    if (this.failure !== undefined) {
      const { failure } = this;
      this.failure = undefined;
      throw failure;
    }
    return retired;
  }

  /** The current instruction becomes the last of the slice; between slices it does nothing. */
  endSlice(): void {
    const { state } = this.cpu;
    if (state.budget <= 1) return;
    const dropped = state.budget - 1;
    this.granted -= dropped;
    state.ticksAtSliceEnd -= BigInt(dropped);
    state.budget = 1;
  }

  /** CS, CPL, the world or the mode changed. */
  selectWindows(): void {
    const { state } = this.cpu;
    const code = this.codeSize();
    const flat = this.isFlat(code);
    this.windows.selectBank(flat, code + (state.guestMode !== 0 ? state.asid * 0x100 : 0));
    this.selectBreakpoints(flat);
  }

  /** Linear addresses are rips, with no limit in the way. */
  private isFlat(code: CodeSize): boolean {
    if (code === 64) return true;
    const { cs } = this.cpu.state;
    return cs.base === 0n && cs.limit === 0xffff_ffff;
  }

  private selectBreakpoints(flat: boolean): void {
    const { state } = this.cpu;
    state.breakpointPages = flat ? this.breakpoints.pages : EVERYWHERE;
    state.breakpointFrames = this.breakpoints.frames;
  }

  /**
   * Makes the instruction whose first byte lies at a linear address an "execute" event, in every
   * address space. Counted: each addition needs its removal.
   */
  addBreakpoint(linear: bigint): void {
    this.breakpoints.changeLinear(linear, 1);
  }

  removeBreakpoint(linear: bigint): void {
    this.breakpoints.changeLinear(linear, -1);
  }

  /** The same at a host-physical address, through whatever mapping the instruction is fetched. */
  addPhysicalBreakpoint(address: PhysicalAddress): void {
    this.breakpoints.changePhysical(this.cpu.physical.canonical(address), 1);
  }

  removePhysicalBreakpoint(address: PhysicalAddress): void {
    this.breakpoints.changePhysical(this.cpu.physical.canonical(address), -1);
  }

  /** Counts a reason of the CPU's own to ask for breakpoints at an offset of every page. */
  markInstructions(offset: number, by: 1 | -1): void {
    this.breakpoints.mark(offset, by);
  }

  /** The instruction at rip runs past its breakpoint, once, when its turn comes. */
  passBreakpointHere(pass: boolean): void {
    this.passed = pass ? this.linearRip() : undefined;
  }

  // ---- generated code's imports ----
  private makeImports(): Record<string, unknown> {
    const { mmu } = this.cpu;
    const guarded = (body: () => number): number => {
      try {
        return body();
      } catch (caught) {
        this.abort(caught);
        return 0;
      }
    };
    const passed = (body: () => void): number => {
      try {
        body();
        return 0;
      } catch (caught) {
        this.abort(caught);
        return 1;
      }
    };
    const slow =
      (access: (linear: bigint, size: number) => number) =>
      (linear: bigint, flagged: number): number => {
        try {
          return access(BigInt.asUintN(64, linear), flagged & ~THROUGH_STACK);
        } catch (caught) {
          const stack = (flagged & THROUGH_STACK) !== 0;
          this.abort(stack ? throughStack(caught) : caught);
          return 0;
        }
      };
    const imports: Record<ImportName, unknown> = {
      readSlow: slow((linear, size) => mmu.readSlow(linear, size)),
      writeSlow: slow((linear, size) => mmu.writeSlow(linear, size)),
      modifySlow: slow((linear, size) => mmu.modifySlow(linear, size)),
      commitWrite: () => passed(() => mmu.commitWrite()),
      checkSegment: (segment: number, offset: bigint, size: number, write: number) =>
        passed(() => {
          const name = SEGMENT_REGISTERS[segment] ?? "ds";
          checkAccess(this.cpu.state, name, BigInt.asUintN(64, offset), size, write !== 0);
        }),
      raise: (vector: number, errorCode: number) =>
        this.abort(new GuestFault(exceptionName(vector) ?? "GP", errorCode)),
      check: (record: number) => passed(() => this.check(record)),
      endSlice: () => this.endSlice(),
      complex: (record: number) => passed(() => this.complex(record)),
      fetchWindow: () => guarded(() => this.fetching(() => this.fetchWindow())),
      decode: () => guarded(() => this.fetching(() => this.decodeHere())),
      breakpoint: () => (this.stopsHere() ? 1 : 0),
    };
    return { memory: this.cpu.physical.memory, table: this.table, ...imports };
  }

  private instantiate(bytes: Uint8Array): Record<string, unknown> {
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), { m: this.imports }).exports;
  }

  private instructionAt(record: number): Instruction {
    return readRecord(this.view, record, this.decoder.formTable.forms);
  }

  private check(record: number): void {
    const instruction = this.instructionAt(record);
    this.evaluator.begin(instruction);
    performChecks(this.evaluator, instruction.form.row);
  }

  private complex(record: number): void {
    this.counters.complex++;
    const instruction = this.instructionAt(record);
    this.evaluator.begin(instruction);
    performChecks(this.evaluator, instruction.form.row);
    this.evaluator.evaluate(instruction);
  }

  /** What ended an instruction is delivered or becomes an exit; generated code then returns. */
  private abort(caught: unknown): void {
    this.counters.aborts++;
    this.events++;
    const { state } = this.cpu;
    state.exitRequest = ExitRequest.aborted;
    try {
      this.handleAbort(caught);
    } catch (failure) {
      this.failure = failure;
    }
  }

  private handleAbort(caught: unknown): void {
    if (caught instanceof GuestFault) {
      try {
        raiseFault(this.cpu, caught);
      } catch (nested) {
        if (!(nested instanceof InterceptExit)) throw nested;
        performExit(this.cpu, nested, this.cpu.state);
      }
    } else if (caught instanceof InterceptExit) performExit(this.cpu, caught, this.cpu.state);
    else throw caught;
  }

  /** Runs `body` between instructions, with faults and exits handled as within one. */
  guard(body: () => void): void {
    try {
      body();
    } catch (caught) {
      this.counters.aborts++;
      this.events++;
      this.handleAbort(caught);
    }
  }

  // ---- fetch and decode ----
  private codeSize(): CodeSize {
    const { state } = this.cpu;
    if (is64Bit(state)) return 64;
    return (state.cs.attributes & Attribute.big) !== 0 ? 32 : 16;
  }

  /** Linear address of rip. */
  private linearRip(): bigint {
    const { state } = this.cpu;
    if (is64Bit(state)) return state.rip;
    return BigInt.asUintN(32, state.cs.base + state.rip);
  }

  private fetchWindow(): number {
    this.counters.windows++;
    const { state, mmu, physical } = this.cpu;
    const code = this.codeSize();
    if (code !== 64) {
      state.rip = BigInt.asUintN(32, state.rip);
      if (state.rip > BigInt(state.cs.limit)) throw new GuestFault("GP", 0);
    }
    const linear = this.linearRip();
    const address = mmu.translateFetch(linear);
    const offset = address % PAGE_SIZE;
    const page = address - offset;
    const first = BigInt.asUintN(64, state.rip - BigInt(offset));
    const ram = physical.pointer(page) >= 0;
    state.windowFrame = page / PAGE_SIZE;
    state.windowSlots = this.codePages.table(ram ? page : OUTSIDE_RAM, code);
    state.windowRip = first;
    state.windowLength = PAGE_SIZE;
    if (code !== 64) {
      const left = BigInt.asIntN(64, BigInt(state.cs.limit) + 1n - BigInt.asIntN(64, first));
      if (left < BigInt(PAGE_SIZE)) state.windowLength = Number(left);
    }
    this.windows.keep();
    return 1;
  }

  /** Physical address of the page that the window shows. */
  private get windowPage(): number {
    return this.cpu.state.windowFrame * PAGE_SIZE;
  }

  /** Offset of rip in the page that the window shows. */
  private get windowOffset(): number {
    const { state } = this.cpu;
    return Number(BigInt.asUintN(64, state.rip - state.windowRip));
  }

  /** Host-physical address of rip, whose page the window shows. */
  private physicalRip(): PhysicalAddress {
    return this.windowPage + this.windowOffset;
  }

  private decodeHere(): number {
    this.counters.decodes++;
    const { physical } = this.cpu;
    const code = this.codeSize();
    const offset = this.windowOffset;
    const { instruction, crosses } = this.decodeAt(offset, code);
    const pointer = physical.pointer(this.windowPage);
    const kept = !crosses && pointer >= 0;
    const record = kept ? this.codePages.record() : this.codePages.scratch;
    let handler = this.handlerOf(instruction.form);
    if (this.breakpoints.marked(offset)) {
      this.view.setUint16(record + RECORD.behind, handler, true);
      handler = Handler.breakpoint;
    }
    writeRecord(this.view, record, handler, instruction);
    if (kept) {
      // The table is asked for again: the allocation may have flushed the arena.
      const table = this.codePages.table(this.windowPage, code);
      this.view.setUint32(table + offset * 4, record, true);
    }
    return record;
  }

  private decodeAt(offset: number, code: CodeSize): { instruction: Instruction; crosses: boolean } {
    const address = this.windowPage + offset;
    const inPage = Math.min(LONGEST_INSTRUCTION, PAGE_SIZE - offset);
    const start = this.cpu.physical.fetch(address, inPage);
    const goesOn = inPage < LONGEST_INSTRUCTION && this.crossings.goesOn(address, code, start);
    let decoded = goesOn ? "moreBytes" : this.decoder.decode(start, code);
    const crosses = decoded === "moreBytes";
    if (crosses) decoded = this.crossings.decode(address, code, this.bytesAcross(start, code));
    if (decoded === "tooLong" || decoded === "moreBytes") throw new GuestFault("GP", 0);
    if (decoded === "undefined")
      return { instruction: this.undefinedInstruction(code, inPage), crosses };
    this.checkLimit(decoded, code);
    return { instruction: decoded, crosses };
  }

  /** What is left of rip's page and the start of the next one, which is fetched. */
  private bytesAcross(start: Uint8Array, code: CodeSize): Uint8Array {
    const next = BigInt.asUintN(code === 64 ? 64 : 32, this.linearRip() + BigInt(start.length));
    const address = this.cpu.mmu.translateFetch(next);
    this.windows.replaced(next);
    const bytes = new Uint8Array(LONGEST_INSTRUCTION);
    bytes.set(start);
    bytes.set(this.cpu.physical.fetch(address, LONGEST_INSTRUCTION - start.length), start.length);
    return bytes;
  }

  /** An instruction that reaches over the limit of CS is #GP(0). */
  private checkLimit(instruction: Instruction, code: CodeSize): void {
    if (code === 64) return;
    const { state } = this.cpu;
    const last = state.rip + BigInt(instruction.length - 1);
    if (last > BigInt(state.cs.limit)) throw new GuestFault("GP", 0);
  }

  /** Bytes at rip, as the fetch saw them. */
  private fetchBytes(length: number): Uint8Array {
    const linear = this.linearRip();
    const address = this.cpu.mmu.translateFetch(linear);
    const inPage = Math.min(length, PAGE_SIZE - (address % PAGE_SIZE));
    const out = new Uint8Array(length);
    out.set(this.cpu.physical.fetch(address, inPage));
    if (inPage < length) {
      const next = this.cpu.mmu.translateFetch(BigInt.asUintN(64, linear + BigInt(inPage)));
      out.set(this.cpu.physical.fetch(next, length - inPage), inPage);
    }
    return out;
  }

  private handlerOf(form: Form): number {
    if (form.row.complex !== undefined || this.tier === "evaluated") return Handler.complex;
    const known = this.handlers[form.id];
    if (known !== undefined) return known;
    this.counters.compiledForms++;
    const handler = this.nextHandler++;
    const compiled = this.instantiate(compileForm(form)).form;
    this.table.set(handler, compiled);
    this.handlers[form.id] = handler;
    return handler;
  }

  // ---- undefined opcodes ----
  private invalidForms(): ReadonlyMap<CodeSize, Form> {
    const parsed = this.decoder.parsedRows.find((p) => p.row === INVALID);
    if (parsed === undefined) throw new Error("The invalid row is missing");
    const common = { parsed, addressing: "none", based: false, repeatPrefix: "none" } as const;
    const form = (long: boolean): Form =>
      this.decoder.formTable.get({ ...common, operandSize: 4, addressSize: long ? 8 : 4, long });
    return new Map([
      [16, form(false)],
      [32, form(false)],
      [64, form(true)],
    ]);
  }

  /** Its length is what is shown of it: up to the longest instruction, within the page. */
  private undefinedInstruction(code: CodeSize, length: number): Instruction {
    return {
      form: this.invalid.get(code) as Form,
      length,
      regOffset: 0,
      rmOffset: 0,
      indexOffset: 0,
      regNumber: 0,
      rmNumber: 0,
      scale: 0,
      displacement: 0,
      immediate: 0n,
      segment: "ds",
      lock: false,
    };
  }

  // ---- breakpoints ----
  /** Before a marked instruction: an observer's breakpoint first, then the debug registers'. */
  private stopsHere(): boolean {
    const linear = this.linearRip();
    if (this.observerStops(linear, this.physicalRip())) return true;
    const met = this.debugBreakpoints(linear);
    if (met === 0) return false;
    this.abort(new GuestFault("DB", met));
    return true;
  }

  /** An instruction's breakpoint comes before the faults of its fetch (APM volume 2, section 8.5). */
  private fetching(fetch: () => number): number {
    try {
      return fetch();
    } catch (caught) {
      const raised = caught instanceof GuestFault || caught instanceof InterceptExit;
      const met = raised ? this.debugBreakpoints(this.linearRip()) : 0;
      throw met === 0 ? caught : new GuestFault("DB", met);
    }
  }

  private observerStops(linear: bigint, physical: PhysicalAddress): boolean {
    if (!this.breakpoints.at(linear, physical)) return false;
    if (this.passed === linear) {
      this.passed = undefined;
      return false;
    }
    let stop = false;
    const { observers, state } = this.cpu;
    const before = observers.onStop;
    observers.onStop = (name) => {
      stop = true;
      before(name);
    };
    try {
      observers.emit("execute", { linear, physical, guest: state.guestMode !== 0 });
    } finally {
      observers.onStop = before;
    }
    return stop;
  }
}

/** The MMU raises #GP for an address that is not canonical and for nothing else: through SS it is #SS. */
function throughStack(caught: unknown): unknown {
  const notCanonical = caught instanceof GuestFault && caught.exception === "GP";
  return notCanonical ? new GuestFault("SS", 0) : caught;
}

/** Stands for bytes that no row matches: #UD, and the user is told (APM volume 2, section 8.2.7). */
const INVALID: Row = {
  mnemonic: "(undefined)",
  encoding: "0F FF",
  operands: "",
  complex: (x) => {
    x.cpu.observers.emit("unimplemented", { rip: x.rip, bytes: x.bytes });
    throw new GuestFault("UD");
  },
};
