// Compiled forms: a module imports what its form calls, for each import costs an instance more than its code.
import { expect, test } from "vitest";
import { Decoder } from "../../../emulator/decode/decoder.ts";
import { ROWS } from "../../../emulator/instructions/index.ts";
import { compileForm } from "../../../emulator/interpreter/form-compiler.ts";

const decoder = new Decoder(ROWS);

test.each([
  ["add eax, ebx", [0x01, 0xd8], []],
  ["mov eax, [rbx]", [0x8b, 0x03], ["readSlow"]],
  ["add [rbx], eax", [0x01, 0x03], ["modifySlow", "commitWrite"]],
  ["movaps xmm0, xmm1", [0x0f, 0x28, 0xc1], ["check"]],
])("%s imports no table, and only the functions that it calls", (_, bytes, functions) => {
  const decoded = decoder.decode(Uint8Array.from([...bytes, ...Array(13).fill(0)]), 64);
  if (typeof decoded === "string") throw new Error(decoded);
  const module = new WebAssembly.Module(compileForm(decoded.form));
  const imports = WebAssembly.Module.imports(module).map(({ name }) => name);
  expect(imports).toEqual(["memory", ...functions]);
});
