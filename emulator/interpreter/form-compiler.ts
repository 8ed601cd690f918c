/** Compiles one form to a function of its own, for the interpreter's table. */

import type { Form } from "../decode/form.ts";
import { I32, I64, ModuleBuilder, OP } from "../wasm/encoder.ts";
import { CodeWriter } from "./code-writer.ts";
import { Emitter } from "./emitter.ts";
import { FORM_SIGNATURE, importRuntime, NEXT, type Runtime } from "./runtime.ts";

/** Emits the form's checks and semantics; aborts branch to the block opened at `abortDepth`. */
export function emitForm(
  form: Form,
  writer: CodeWriter,
  runtime: Runtime,
  abortDepth: number,
): void {
  const emitter = new Emitter(form, writer, runtime, abortDepth);
  emitter.emitChecks();
  if (form.row.semantics === undefined) throw new Error(`${form.row.mnemonic} is not compiled`);
  form.row.semantics(emitter);
  writer.releaseTemporaries();
}

/** A module that exports the form as "form", with FORM_SIGNATURE. */
export function compileForm(form: Form): Uint8Array {
  const module = new ModuleBuilder();
  const runtime = importRuntime(module);
  const writer = new CodeWriter(FORM_SIGNATURE.parameters.length);
  writer.block();
  emitForm(form, writer, runtime, 0);
  writer.get(NEXT).op(OP.return).end().i64(0n);
  module.addFunction({
    signature: { parameters: [I32, I32, I64], results: [I64] },
    locals: writer.declared,
    code: writer.code,
    exportAs: "form",
  });
  return module.build();
}
