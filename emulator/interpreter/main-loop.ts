/**
 * Builds the interpreter's main function: run(cpu) executes instructions until the budget is used
 * up or an instruction aborts.
 *
 * Each turn: rip is stored, the budget tested, the fetch window looked up, the record dispatched by
 * br_table over the hot handlers or call_indirect for the rest; then the instruction retires
 * (budget - 1). An aborted instruction does not retire.
 */
import type { Form } from "../decode/form.ts";
import { RECORD } from "../decode/instruction.ts";
import { CPU_FIELDS } from "../state/cpu-fields.ts";
import { CODE_TLB_ENTRIES, PAGE_SIZE, WINDOW_ENTRY } from "../state/memory-map.ts";
import { I32, I64, ModuleBuilder, OP } from "../wasm/encoder.ts";
import { pushBankOffset } from "./bank-offset.ts";
import { CodeWriter } from "./code-writer.ts";
import { emitForm } from "./form-compiler.ts";
import { CPU, FORM_SIGNATURE, importRuntime, NEXT, RECORD_AT, type Runtime } from "./runtime.ts";

/** Handler numbers below are cases of the br_table; from here on they are table indexes. */
export const Handler = {
  /** Runs the form in TypeScript. */
  complex: 0,
  /** Asks whether to stop, then runs the handler that the record keeps beside. */
  breakpoint: 1,
  firstHot: 2,
} as const;

class MainLoop {
  constructor(hot: readonly Form[]) {
    this.hot = hot;
    this.runtime = importRuntime(this.module);
    this.module.importTable();
    this.w = new CodeWriter(1);
    // RECORD_AT and NEXT are where compiled forms expect them.
    if (this.w.permanent(I32) !== RECORD_AT || this.w.permanent(I64) !== NEXT) {
      throw new Error("The main loop's locals are out of place");
    }
    this.rip = this.w.permanent(I64);
    this.offset = this.w.permanent(I64);
    this.handler = this.w.permanent(I32);
  }
  private readonly module = new ModuleBuilder();
  private readonly hot: readonly Form[];
  private readonly runtime: Runtime;
  private readonly w: CodeWriter;
  private readonly rip: number;
  private readonly offset: number;
  private readonly handler: number;

  build(): Uint8Array {
    const { w } = this;
    w.get(CPU).memory(OP.i64Load, CPU_FIELDS.rip.offset).set(this.rip);
    w.block(); // exit
    const exit = w.depth - 1;
    w.loop();
    const fetch = w.depth - 1;
    this.fetch(exit);
    w.block(); // retire
    this.dispatch(exit, w.depth - 1);
    w.end();
    this.addToField("budget", -1);
    w.get(NEXT).set(this.rip).branchTo(fetch);
    w.end().end();
    this.module.addFunction({
      signature: { parameters: [I32], results: [] },
      locals: w.declared,
      code: w.code,
      exportAs: "run",
    });
    return this.module.build();
  }

  private addToField(name: "budget", amount: number): void {
    const { offset } = CPU_FIELDS[name];
    this.w.get(CPU).get(CPU).memory(OP.i32Load, offset).i32(amount).op(OP.i32Add);
    this.w.memory(OP.i32Store, offset);
  }

  private windowOffset(): void {
    const { w } = this;
    w.get(this.rip).get(CPU).memory(OP.i64Load, CPU_FIELDS.windowRip.offset).op(OP.i64Sub);
    w.set(this.offset);
  }

  /** Leaves RECORD_AT, NEXT and the handler number set. */
  private fetch(exit: number): void {
    const { w, runtime } = this;
    w.get(CPU).get(this.rip).memory(OP.i64Store, CPU_FIELDS.rip.offset);
    w.get(CPU).memory(OP.i32Load, CPU_FIELDS.budget.offset).op(OP.i32Eqz).if();
    w.branchTo(exit).end();
    this.windowOffset();
    w.get(this.offset).get(CPU).memory(OP.i64Load32U, CPU_FIELDS.windowLength.offset);
    w.op(OP.i64GeU).if();
    this.findWindow();
    w.if();
    w.call(runtime.fetchWindow).op(OP.i32Eqz).if().branchTo(exit).end();
    w.get(CPU).memory(OP.i64Load, CPU_FIELDS.rip.offset).set(this.rip);
    w.end();
    this.windowOffset();
    w.end();
    w.get(CPU).memory(OP.i32Load, CPU_FIELDS.windowSlots.offset);
    w.get(this.offset).op(OP.i32WrapI64).i32(2).op(OP.i32Shl, OP.i32Add);
    w.memory(OP.i32Load).tee(RECORD_AT).op(OP.i32Eqz).if();
    w.call(runtime.decode).tee(RECORD_AT).op(OP.i32Eqz).if().branchTo(exit).end();
    w.end();
    w.get(this.rip).get(RECORD_AT).memory(OP.i64Load8U, RECORD.length).op(OP.i64Add).set(NEXT);
    w.get(RECORD_AT).memory(OP.i32Load16U, RECORD.handler).set(this.handler);
  }

  /** Makes the known window of rip's page the current one; leaves 1 if there is none. */
  private findWindow(): void {
    const { w, handler: entry } = this;
    pushBankOffset(w, this.rip, CODE_TLB_ENTRIES, WINDOW_ENTRY);
    w.get(CPU).memory(OP.i32Load, CPU_FIELDS.windowBank.offset).op(OP.i32Add).tee(entry);
    w.memory(OP.i64Load).get(this.rip).i64(-4096n).op(OP.i64And, OP.i64Eq).if();
    w.get(CPU).get(entry).memory(OP.i64Load).memory(OP.i64Store, CPU_FIELDS.windowRip.offset);
    for (const [field, at] of [
      ["windowSlots", 8],
      ["windowFrame", 12],
    ] as const) {
      w.get(CPU).get(entry).memory(OP.i32Load, at);
      w.memory(OP.i32Store, CPU_FIELDS[field].offset);
    }
    w.get(CPU).i32(PAGE_SIZE).memory(OP.i32Store, CPU_FIELDS.windowLength.offset);
    w.i32(0).set(entry).else().i32(1).set(entry).end().get(entry);
  }

  private dispatch(exit: number, retire: number): void {
    const { w } = this;
    w.loop();
    const again = w.depth - 1;
    const cases = Handler.firstHot + this.hot.length;
    const outermost = w.depth;
    w.block(); // default
    for (let i = 0; i < cases; i++) w.block();
    w.get(this.handler).op(OP.brTable);
    w.code.unsigned(cases);
    for (let i = 0; i < cases; i++) w.code.unsigned(i);
    w.code.unsigned(cases);
    w.end();
    this.complexCase(exit, retire);
    w.end();
    this.breakpointCase(exit, again);
    for (const form of this.hot) {
      w.end();
      w.block();
      emitForm(form, w, this.runtime, w.depth - 1);
      w.branchTo(retire).end().branchTo(exit);
    }
    if (w.depth !== outermost + 1) throw new Error("Unbalanced dispatch");
    w.end();
    this.indirectCase(exit, retire);
    w.end();
  }

  private complexCase(exit: number, retire: number): void {
    const { w } = this;
    w.get(RECORD_AT).call(this.runtime.complex);
    this.exitIfAborted(exit);
    w.get(CPU).memory(OP.i64Load, CPU_FIELDS.nextRip.offset).set(NEXT).branchTo(retire);
  }

  private breakpointCase(exit: number, again: number): void {
    const { w } = this;
    w.get(CPU).memory(OP.i64Load, CPU_FIELDS.breakpointPages.offset);
    w.get(this.rip).i64(12n).op(OP.i64ShrU, OP.i64ShrU);
    w.get(CPU).memory(OP.i64Load, CPU_FIELDS.breakpointFrames.offset);
    w.get(CPU).memory(OP.i64Load32U, CPU_FIELDS.windowFrame.offset).op(OP.i64ShrU);
    w.op(OP.i64Or, OP.i32WrapI64).i32(1).op(OP.i32And).if();
    w.get(RECORD_AT).call(this.runtime.breakpoint).if().branchTo(exit).end();
    w.end();
    w.get(RECORD_AT).memory(OP.i32Load16U, RECORD.behind).set(this.handler).branchTo(again);
  }

  private indirectCase(exit: number, retire: number): void {
    const { w } = this;
    w.get(CPU).get(RECORD_AT).get(NEXT).get(this.handler).op(OP.callIndirect);
    w.code.unsigned(this.module.type(FORM_SIGNATURE)).unsigned(0);
    w.set(NEXT);
    this.exitIfAborted(exit);
    w.branchTo(retire);
  }

  private exitIfAborted(exit: number): void {
    const { w } = this;
    w.get(CPU).memory(OP.i32Load, CPU_FIELDS.exitRequest.offset).if().branchTo(exit).end();
  }
}

/** The module; `hot` forms get handlers Handler.firstHot and up, in order. */
export function buildMainLoop(hot: readonly Form[]): Uint8Array {
  return new MainLoop(hot).build();
}
