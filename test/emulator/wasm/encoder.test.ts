// Modules made by the encoder: numbers at the edges of LEB128, validation, and disassembly by wabt.
import { describe, expect, test } from "vitest";
import wabtModule from "wabt";
import { Bytes, EMPTY, I32, I64, ModuleBuilder, OP, V128 } from "../../../emulator/wasm/encoder.ts";

const wabt = await wabtModule();

/** Text form of a module; throws if it is not valid. */
function disassemble(bytes: Uint8Array): string {
  const module = wabt.readWasm(bytes, { readDebugNames: false, simd: true } as never);
  try {
    module.validate();
    return module.toText({ foldExprs: false, inlineExport: false });
  } finally {
    module.destroy();
  }
}

const UNSIGNED = [0, 1, 63, 64, 127, 128, 129, 255, 256, 16_383, 16_384, 2 ** 21 - 1, 2 ** 21];
const LARGE = [2 ** 28 - 1, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

function readUnsigned(bytes: Uint8Array): { value: bigint; length: number } {
  let value = 0n;
  for (let i = 0; ; i++) {
    const byte = bytes[i] ?? 0;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value, length: i + 1 };
  }
}

describe("LEB128", () => {
  test.each([...UNSIGNED, ...LARGE])("unsigned %d", (n) => {
    const { value, length } = readUnsigned(new Bytes().unsigned(n).view());
    expect(value).toBe(BigInt(n));
    expect(length).toBe(Math.max(1, Math.ceil(n.toString(2).length / 7)));
  });

  const edges = [0n, 1n, 63n, 64n, 127n, 128n, 8191n, 8192n, 2n ** 20n, 2n ** 31n - 1n, 2n ** 31n];
  const wide = [2n ** 34n - 1n, 2n ** 34n, 2n ** 62n, 2n ** 63n - 1n];
  test.each([...edges, ...wide].flatMap((n) => [n, -n, -n - 1n]))("signed %d", (n) => {
    const bytes = new Bytes().signed(n).view();
    const { value, length } = readUnsigned(bytes);
    expect(length).toBe(bytes.length);
    expect(BigInt.asIntN(7 * length, value)).toBe(n);
    // No byte more than it takes.
    if (length > 1) expect(BigInt.asIntN(7 * (length - 1), n)).not.toBe(n);
  });

  test.each([0, -1, 63, 64, -64, -65, 2 ** 30 - 1, -(2 ** 30), 2 ** 31 - 1, -(2 ** 31)])(
    "a number and the bigint of the same value: %d",
    (n) => {
      expect(new Bytes().signed(n).view()).toEqual(new Bytes().signed(BigInt(n)).view());
    },
  );

  test("a buffer grows over any length at once", () => {
    const long = new Uint8Array(10_000).map((_, i) => i);
    const bytes = new Bytes().byte(7).append(long).byte(9);
    expect(bytes.length).toBe(10_002);
    expect(bytes.view()[5001]).toBe(5000 & 0xff);
    expect(bytes.view()[10_001]).toBe(9);
  });
});

describe("modules", () => {
  test("constants at their edges come out as they went in", () => {
    const builder = new ModuleBuilder();
    const numbers = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 32n, -(2n ** 31n)];
    const code = new Bytes();
    for (const n of numbers) code.byte(OP.i64Const).signed(n).byte(OP.drop);
    for (const n of [-(2 ** 31), 2 ** 31 - 1, 0, 64])
      code.byte(OP.i32Const).signed(n).byte(OP.drop);
    const signature = { parameters: [], results: [] };
    builder.addFunction({ signature, locals: [], code, exportAs: "f" });
    const text = disassemble(builder.build());
    for (const n of numbers) expect(text).toContain(`i64.const ${n}\n`);
    for (const n of [-(2 ** 31), 2 ** 31 - 1, 0, 64]) expect(text).toContain(`i32.const ${n}\n`);
  });

  test("imports, types, locals, blocks and exports", () => {
    const builder = new ModuleBuilder();
    builder.importTable();
    const add = builder.importFunction("add", { parameters: [I64, I32], results: [I64] });
    const same = builder.importFunction("same", { parameters: [I64, I32], results: [I64] });
    const code = new Bytes();
    code.byte(OP.block).byte(EMPTY).byte(OP.localGet).unsigned(1).byte(OP.brIf).unsigned(0);
    code.byte(OP.end);
    code.byte(OP.localGet).unsigned(0).byte(OP.localGet).unsigned(1);
    code.byte(OP.call).unsigned(add).byte(OP.localGet).unsigned(1).byte(OP.call).unsigned(same);
    builder.addFunction({
      signature: { parameters: [I64, I32], results: [I64] },
      locals: [I32, V128, I64],
      code,
      exportAs: "go",
    });
    const bytes = builder.build();
    const text = disassemble(bytes);
    expect(text).toContain('(import "m" "memory"');
    expect(text).toContain('(import "m" "table"');
    expect(text).toContain('(import "m" "add" (func (;0;) (type 0)))');
    expect(text).toContain('(import "m" "same" (func (;1;) (type 0)))');
    expect(text).toContain("(local i32 v128 i64)");
    expect(text).toContain('(export "go" (func 2))');
    expect(text.match(/\(type \(;\d+;\)/g)).toHaveLength(1);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      m: {
        memory: new WebAssembly.Memory({ initial: 1 }),
        table: new WebAssembly.Table({ element: "anyfunc", initial: 1 }),
        add: (a: bigint, b: number) => a + BigInt(b),
        same: (a: bigint) => a,
      },
    });
    expect((instance.exports.go as (a: bigint, b: number) => bigint)(40n, 2)).toBe(42n);
  });

  test("every instruction has the code that its name means", () => {
    const texts = Object.entries(OP).map(([name, code]) => ({ name, code }));
    for (const { name, code } of texts) {
      const text = plainInstruction(code);
      if (text !== undefined) expect(camelCase(text), name).toBe(name);
    }
  });
});

/** "i64.shr_u" to "i64ShrU". */
const camelCase = (text: string): string =>
  text.replace(/[._](\w)/g, (_, letter: string) => letter.toUpperCase());

/** wabt's name of an instruction that only takes operands of the stack, or a memory access. */
function plainInstruction(code: number): string | undefined {
  const memory = code >= 0x28 && code <= 0x3e;
  if (!memory && code < 0x45) return undefined;
  const wide = (op: number): boolean =>
    (op >= 0x50 && op <= 0x5a) || (op >= 0x79 && op <= 0x8a) || op === 0xa7 || op >= 0xc2;
  const builder = new ModuleBuilder();
  const body = new Bytes();
  const store = code >= 0x36 && code <= 0x3e;
  const [first, second] = memory
    ? [OP.i32Const, [0x37, 0x3c, 0x3d, 0x3e].includes(code) ? OP.i64Const : OP.i32Const]
    : Array.from({ length: 2 }, () => (wide(code) ? OP.i64Const : OP.i32Const));
  body.byte(OP.block).byte(EMPTY);
  if (!memory || store) body.byte(second ?? 0).signed(0);
  const unary =
    [0x45, 0x50, 0x79, 0x7a, 0x7b, 0xa7, 0xad].includes(code) || code >= 0xc2 || (memory && !store);
  if (memory && store) {
    body.length = 0;
    body
      .byte(OP.block)
      .byte(EMPTY)
      .byte(OP.i32Const)
      .signed(0)
      .byte(second ?? 0)
      .signed(0);
  } else if (memory) body.byte(OP.i32Const).signed(0);
  else if (!unary) body.byte(first ?? 0).signed(0);
  body.byte(code);
  if (memory) body.unsigned(0).unsigned(0);
  if (!store) body.byte(OP.drop);
  body.byte(OP.end);
  const signature = { parameters: [], results: [] };
  builder.addFunction({ signature, locals: [], code: body, exportAs: "f" });
  const lines = disassemble(builder.build())
    .split("\n")
    .map((line) => line.trim().replace(/\)+$/, ""));
  const skipped = /^(block|end|drop|\(|i32\.const|i64\.const|$)/;
  return lines.find((line) => !skipped.test(line))?.split(" ")[0];
}
