// Decodes attribute values by their form (section 7.5.6) into a few plain kinds.
import { Form } from "./constants.ts";
import type { Reader } from "./reader.ts";
import type { DwarfSections } from "./sections.ts";

/**
 * An attribute's value. `constant` holds the raw bits of `size` bytes unless `signed`;
 * `index` values (strx, addrx, loclistx, rnglistx) need the unit's bases and are resolved there.
 */
export type AttributeValue =
  | { readonly kind: "address"; readonly value: bigint }
  | { readonly kind: "constant"; readonly value: bigint; readonly size: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "flag"; readonly value: boolean }
  | { readonly kind: "block"; readonly value: Uint8Array }
  | { readonly kind: "expression"; readonly value: Uint8Array }
  /** Offset into .debug_info. */
  | { readonly kind: "reference"; readonly value: number }
  | { readonly kind: "signature"; readonly value: bigint }
  /** Offset into another section, which the attribute tells. */
  | { readonly kind: "offset"; readonly value: number }
  | {
      readonly kind: "index";
      readonly value: number;
      readonly of: "string" | "address" | "locationList" | "rangeList";
    }
  | { readonly kind: "unsupported"; readonly form: number };

/** What decoding a form needs to know of its unit. */
export interface FormContext {
  readonly sections: DwarfSections;
  readonly version: number;
  readonly addressSize: 4 | 8;
  readonly offsetSize: 4 | 8;
  /** Where the unit begins in .debug_info, to which ref1..ref8 are relative. */
  readonly unitOffset: number;
}

type Decode = (reader: Reader, context: FormContext) => AttributeValue;

/** In place of the size of a constant that has a sign of its own (sdata, implicit_const). */
export const SIGNED = -1;

const fixed =
  (size: number): Decode =>
  (reader) => ({ kind: "constant", value: reader.unsigned(size), size });
const reference =
  (read: (reader: Reader) => number): Decode =>
  (reader, context) => ({ kind: "reference", value: context.unitOffset + read(reader) });
const indexed =
  (of: "string" | "address" | "locationList" | "rangeList", size: number): Decode =>
  (reader) => ({
    kind: "index",
    of,
    value: size === 0 ? reader.uleb() : Number(reader.unsigned(size)),
  });
const block =
  (length: (reader: Reader) => number): Decode =>
  (reader) => ({ kind: "block", value: reader.block(length(reader)) });
const skipped =
  (form: number, size: (context: FormContext) => number): Decode =>
  (reader, context) => {
    reader.skip(size(context));
    return { kind: "unsupported", form };
  };

const DECODERS: Readonly<Record<number, Decode>> = {
  [Form.addr]: (r, c) => ({ kind: "address", value: r.unsigned(c.addressSize) }),
  [Form.data1]: fixed(1),
  [Form.data2]: fixed(2),
  // Until DWARF 3 the offsets of lists and line tables had these two forms: `asOffset` reads both.
  [Form.data4]: fixed(4),
  [Form.data8]: fixed(8),
  [Form.data16]: (r) => ({ kind: "block", value: r.block(16) }),
  [Form.sdata]: (r) => ({ kind: "constant", value: r.sleb64(), size: SIGNED }),
  [Form.udata]: (r) => ({ kind: "constant", value: r.uleb64(), size: 8 }),
  [Form.string]: (r) => ({ kind: "string", value: r.string() }),
  [Form.strp]: (r, c) => ({
    kind: "string",
    value: c.sections.open("strings", r.offset(c.offsetSize)).string(),
  }),
  [Form.lineStrp]: (r, c) => ({
    kind: "string",
    value: c.sections.open("lineStrings", r.offset(c.offsetSize)).string(),
  }),
  [Form.flag]: (r) => ({ kind: "flag", value: r.u8() !== 0 }),
  [Form.flagPresent]: () => ({ kind: "flag", value: true }),
  [Form.block1]: block((r) => r.u8()),
  [Form.block2]: block((r) => r.u16()),
  [Form.block4]: block((r) => r.u32()),
  [Form.block]: block((r) => r.uleb()),
  [Form.exprloc]: (r) => ({ kind: "expression", value: r.block(r.uleb()) }),
  [Form.ref1]: reference((r) => r.u8()),
  [Form.ref2]: reference((r) => r.u16()),
  [Form.ref4]: reference((r) => r.u32()),
  [Form.ref8]: reference((r) => r.offset(8)),
  [Form.refUdata]: reference((r) => r.uleb()),
  // DWARF 2 gave ref_addr the size of an address.
  [Form.refAddr]: (r, c) => ({
    kind: "reference",
    value: r.offset(c.version <= 2 ? (c.addressSize as 4 | 8) : c.offsetSize),
  }),
  [Form.refSig8]: (r) => ({ kind: "signature", value: r.u64() }),
  [Form.secOffset]: (r, c) => ({ kind: "offset", value: r.offset(c.offsetSize) }),
  [Form.strx]: indexed("string", 0),
  [Form.strx1]: indexed("string", 1),
  [Form.strx2]: indexed("string", 2),
  [Form.strx3]: indexed("string", 3),
  [Form.strx4]: indexed("string", 4),
  [Form.addrx]: indexed("address", 0),
  [Form.addrx1]: indexed("address", 1),
  [Form.addrx2]: indexed("address", 2),
  [Form.addrx3]: indexed("address", 3),
  [Form.addrx4]: indexed("address", 4),
  [Form.loclistx]: indexed("locationList", 0),
  [Form.rnglistx]: indexed("rangeList", 0),
  [Form.refSup4]: skipped(Form.refSup4, () => 4),
  [Form.refSup8]: skipped(Form.refSup8, () => 8),
  [Form.strpSup]: skipped(Form.strpSup, (c) => c.offsetSize),
  [Form.gnuRefAlt]: skipped(Form.gnuRefAlt, (c) => c.offsetSize),
  [Form.gnuStrpAlt]: skipped(Form.gnuStrpAlt, (c) => c.offsetSize),
};

/** Reads one value; throws for a form that DWARF 5 does not have, whose size is unknown. */
export function readForm(
  reader: Reader,
  form: number,
  implicit: bigint,
  context: FormContext,
): AttributeValue {
  if (form === Form.implicitConst) return { kind: "constant", value: implicit, size: SIGNED };
  if (form === Form.indirect) {
    const actual = reader.uleb();
    if (actual === Form.indirect) throw reader.error("DW_FORM_indirect of DW_FORM_indirect");
    const value = actual === Form.implicitConst ? reader.sleb64() : 0n;
    return readForm(reader, actual, value, context);
  }
  const decode = DECODERS[form];
  if (!decode) throw reader.error(`unknown form 0x${form.toString(16)}`);
  return decode(reader, context);
}

type Skip = (reader: Reader, context: FormContext) => void;

const skipFixed =
  (size: number): Skip =>
  (reader) =>
    reader.skip(size);
const skipLeb: Skip = (reader) => {
  while (reader.u8() >= 0x80);
};
const skipOffset: Skip = (reader, context) => reader.skip(context.offsetSize);

/** Ways past a value that make nothing of it, for the forms of which there are very many. */
const SKIPPERS: Readonly<Record<number, Skip>> = {
  [Form.addr]: (r, c) => r.skip(c.addressSize),
  [Form.data1]: skipFixed(1),
  [Form.data2]: skipFixed(2),
  [Form.data4]: skipFixed(4),
  [Form.data8]: skipFixed(8),
  [Form.sdata]: skipLeb,
  [Form.udata]: skipLeb,
  [Form.string]: (r) => r.skipString(),
  [Form.strp]: skipOffset,
  [Form.lineStrp]: skipOffset,
  [Form.secOffset]: skipOffset,
  [Form.flag]: skipFixed(1),
  [Form.flagPresent]: () => {},
  [Form.implicitConst]: () => {},
  [Form.exprloc]: (r) => r.skip(r.uleb()),
  [Form.ref1]: skipFixed(1),
  [Form.ref2]: skipFixed(2),
  [Form.ref4]: skipFixed(4),
  [Form.strx]: skipLeb,
  [Form.strx1]: skipFixed(1),
  [Form.strx2]: skipFixed(2),
  [Form.strx3]: skipFixed(3),
  [Form.strx4]: skipFixed(4),
  [Form.addrx]: skipLeb,
  [Form.loclistx]: skipLeb,
  [Form.rnglistx]: skipLeb,
};

/** Moves past one value; throws as `readForm` does where it is not there or of an unknown form. */
export function skipForm(reader: Reader, form: number, context: FormContext): void {
  const skip = SKIPPERS[form];
  if (skip) skip(reader, context);
  else readForm(reader, form, 0n, context);
}

/** The bits of a constant, widened by its sign where the form gives one. */
export function asConstant(value: AttributeValue | undefined): bigint | undefined {
  return value?.kind === "constant" ? value.value : undefined;
}

/** A constant that counts, numbers or sizes something; undefined where it is no exact number. */
export function asNumber(value: AttributeValue | undefined): number | undefined {
  const constant = asConstant(value);
  if (constant === undefined || constant < 0n) return undefined;
  return constant <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(constant) : undefined;
}

/** A constant read as signed whatever its form, as member and bit offsets of negative sense are. */
export function asSigned(value: AttributeValue | undefined): bigint | undefined {
  if (value?.kind !== "constant") return undefined;
  return value.size === SIGNED ? value.value : BigInt.asIntN(value.size * 8, value.value);
}

/** A section offset, which DWARF 2 and 3 wrote as data4 or data8. */
export function asOffset(value: AttributeValue | undefined): number | undefined {
  return value?.kind === "offset" ? value.value : asNumber(value);
}

export function asString(value: AttributeValue | undefined): string | undefined {
  return value?.kind === "string" ? value.value : undefined;
}

/** An expression, which DWARF 2 and 3 wrote as a block. */
export function asExpression(value: AttributeValue | undefined): Uint8Array | undefined {
  return value?.kind === "expression" || value?.kind === "block" ? value.value : undefined;
}
