// Every row's encodings decode to the row in every mode that it exists in, with every other prefix.
import { describe, expect, test } from "vitest";
import { Decoder } from "../../../emulator/decode/decoder.ts";
import type { ParsedRow } from "../../../emulator/decode/form.ts";
import { ROWS } from "../../../emulator/instructions/index.ts";
import { Random } from "../../harness/random.ts";
import { bytesOf, operandSizeOf, type Shape, shapesOf } from "./row-bytes.ts";

const SEED = 20261122;
const random = new Random(SEED);
const decoder = new Decoder(ROWS);

const padded = (bytes: readonly number[]): Uint8Array => {
  const out = new Uint8Array(15);
  out.set(bytes.slice(0, 15));
  return out;
};

const name = ({ row }: ParsedRow): string => `${row.mnemonic} ${row.encoding} ${row.operands}`;
const text = (bytes: readonly number[]): string =>
  bytes.map((b) => b.toString(16).padStart(2, "0")).join(" ");

/** What is wrong with the decoding of these bytes of the row, if anything. */
function problem(parsed: ParsedRow, shape: Shape, bytes: readonly number[]): string | undefined {
  const where = `${name(parsed)}, ${shape.bits} bits: ${text(bytes)}`;
  const decoded = decoder.decode(padded(bytes), shape.bits);
  if (typeof decoded === "string") return `${where} is ${decoded}`;
  const { form, length } = decoded;
  if (form.row !== parsed.row) return `${where} is ${name(form.parsed)}`;
  if (length !== bytes.length) return `${where} has length ${length}`;
  const size = operandSizeOf(parsed, shape);
  if (form.operandSize !== size) return `${where} has operand size ${form.operandSize}`;
  if ((form.addressing === "modRm") !== shape.memory) return `${where} is ${form.addressing}`;
  return undefined;
}

const cases = decoder.parsedRows.flatMap((parsed) =>
  shapesOf(parsed).map((shape) => ({ parsed, shape, bytes: bytesOf(parsed, shape, random) })),
);

describe(`rows, seed ${SEED}`, () => {
  test("each row exists in some mode", () => {
    const known = new Set(cases.map(({ parsed }) => parsed));
    expect(decoder.parsedRows.filter((p) => !known.has(p)).map(name)).toEqual([]);
  });

  test("each decodes to itself in every shape", () => {
    const problems = cases.flatMap(
      ({ parsed, shape, bytes }) => problem(parsed, shape, bytes) ?? [],
    );
    expect(problems).toEqual([]);
  });

  test.each([0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65])("with segment prefix %i", (prefix) => {
    const problems = cases.flatMap(
      ({ parsed, shape, bytes }) => problem(parsed, shape, [prefix, ...bytes]) ?? [],
    );
    expect(problems).toEqual([]);
  });

  test("with LOCK: legal for rows that allow it, with memory", () => {
    const wrong = cases.filter(({ parsed, shape, bytes }) => {
      const decoded = decoder.decode(padded([0xf0, ...bytes]), shape.bits);
      const legal = parsed.row.lock === true && shape.memory;
      return legal
        ? problem(parsed, shape, [0xf0, ...bytes]) !== undefined
        : decoded !== "undefined";
    });
    expect(wrong.map(({ parsed, bytes }) => `${name(parsed)}: ${text(bytes)}`)).toEqual([]);
  });

  test("cut short, each asks for more bytes", () => {
    const wrong = cases.filter(({ shape, bytes }) =>
      bytes.some(
        (_, n) => decoder.decode(Uint8Array.from(bytes.slice(0, n)), shape.bits) !== "moreBytes",
      ),
    );
    expect(wrong.map(({ parsed, bytes }) => `${name(parsed)}: ${text(bytes)}`)).toEqual([]);
  });

  test("in a mode in which the row does not exist, no bytes mean it", () => {
    const wrong = decoder.parsedRows.filter((parsed) => {
      const { not64, only64 } = parsed.row;
      if (!not64 && !only64) return false;
      const bits = not64 ? 64 : 32;
      const bytes = bytesOf(parsed, { bits, sizing: "none", memory: false }, random);
      const decoded = decoder.decode(padded(bytes), bits);
      return typeof decoded !== "string" && decoded.form.row === parsed.row;
    });
    expect(wrong.map(name)).toEqual([]);
  });

  test("no compiled row has checks that generated code would not make", () => {
    const wrong = decoder.parsedRows.filter(
      ({ row }) =>
        row.semantics !== undefined &&
        (row.exceptions !== undefined || (row.unit !== undefined && row.unit !== "sse")),
    );
    expect(wrong.map(name)).toEqual([]);
  });
});
