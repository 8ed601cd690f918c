/** How a record of the invariant language is modelled: rows of fields, each with type, doc and read. */
import type { Bytes, RecordValue, Result } from "../evaluate/value.ts";
import type { Described } from "../language/declarations.ts";
import type { Type } from "../language/types.ts";
import type { View } from "./view.ts";

export interface FieldModel extends Described {
  read(of: unknown, view: View): Result;
  /** The bytes that it is read from, where it is memory. */
  bytes(of: unknown, view: View): Bytes | undefined;
}

export interface RecordModel {
  readonly name: string;
  readonly doc: string;
  /** Its fields are read from the machine each time; else they never change. */
  readonly isLive: boolean;
  readonly fields: ReadonlyMap<string, FieldModel>;
  same(a: unknown, b: unknown): boolean;
  /** Bytes that stand for the whole record: a page-table entry's. */
  bytes(of: unknown, view: View): Bytes | undefined;
  /** For messages, as "the nested PDE at hpa:0x1000". */
  describe(of: unknown): string;
}

/** A row of a record whose handle is an H. */
export interface FieldRow<H> {
  readonly type: Type;
  readonly doc: string;
  readonly section?: string;
  read(of: H, view: View): Result;
  bytes?(of: H, view: View): Bytes | undefined;
}

export interface RecordRows<H> {
  readonly doc: string;
  readonly isLive: boolean;
  readonly fields: { readonly [name: string]: FieldRow<H> };
  same?(a: H, b: H): boolean;
  bytes?(of: H, view: View): Bytes | undefined;
  describe?(of: H): string;
}

/** A record's model and how its values are made: only they hand an H to its rows. */
export interface DefinedRecord<H> extends RecordModel {
  make(of: H): RecordValue;
}

export function defineRecord<H>(name: string, rows: RecordRows<H>): DefinedRecord<H> {
  const fields = Object.entries(rows.fields).map(([field, row]): [string, FieldModel] => {
    const { type, doc, section } = row;
    const model: FieldModel = {
      type,
      doc,
      ...(section === undefined ? {} : { section }),
      read: row.read as FieldModel["read"],
      bytes: (of, view) => row.bytes?.(of as H, view),
    };
    return [field, model];
  });
  const record: DefinedRecord<H> = {
    name,
    doc: rows.doc,
    isLive: rows.isLive,
    fields: new Map(fields),
    same: (a, b) => a === b || rows.same?.(a as H, b as H) === true,
    bytes: (of, view) => rows.bytes?.(of as H, view),
    describe: (of) => rows.describe?.(of as H) ?? name,
    make: (of) => ({ kind: "record", model: record, of }),
  };
  return record;
}
