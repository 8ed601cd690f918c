/** Plain data (what devices and followers save) as bytes: each value with a letter for its type before it. */
import { type ByteReader, type ByteWriter, RecordingError } from "./recording-bytes.ts";

const LETTERS = "unbfisyao";
type Letter = "u" | "n" | "b" | "f" | "i" | "s" | "y" | "a" | "o";

/** u undefined, n null, b boolean, f number, i bigint, s string, y bytes, a array, o object. */
function letterOf(value: unknown): Letter {
  if (value === undefined) return "u";
  if (value === null) return "n";
  if (value instanceof Uint8Array) return "y";
  if (Array.isArray(value)) return "a";
  const letters = { boolean: "b", number: "f", bigint: "i", string: "s", object: "o" } as const;
  const type = typeof value;
  if (type in letters) return letters[type as keyof typeof letters];
  throw new Error(`A ${type} cannot be recorded`);
}

export function writeValue(writer: ByteWriter, value: unknown): void {
  const letter = letterOf(value);
  writer.byte(LETTERS.indexOf(letter));
  if (letter === "b") writer.byte(value === true ? 1 : 0);
  else if (letter === "f") writer.raw(new Uint8Array(Float64Array.of(value as number).buffer));
  else if (letter === "i" || letter === "s") writer.text(String(value));
  else if (letter === "y") writer.bytes(value as Uint8Array);
  else if (letter === "a") {
    const items = value as readonly unknown[];
    writer.number(items.length);
    for (const item of items) writeValue(writer, item);
  } else if (letter === "o") {
    const entries = Object.entries(value as object);
    writer.number(entries.length);
    for (const [name, item] of entries) {
      writer.text(name);
      writeValue(writer, item);
    }
  }
}

/** Throws a RecordingError where the bytes are no value. */
export function readValue(reader: ByteReader): unknown {
  const letter = LETTERS[reader.byte()] as Letter | undefined;
  switch (letter) {
    case "u":
      return undefined;
    case "n":
      return null;
    case "b":
      return reader.byte() === 1;
    case "f":
      return new Float64Array(reader.raw(8).buffer)[0];
    case "i":
      return BigInt(reader.text());
    case "s":
      return reader.text();
    case "y":
      return reader.bytes();
    case "a": {
      const items: unknown[] = [];
      for (let left = reader.number(); left > 0; left--) items.push(readValue(reader));
      return items;
    }
    case "o": {
      const value: Record<string, unknown> = {};
      for (let left = reader.number(); left > 0; left--) {
        const name = reader.text();
        value[name] = readValue(reader);
      }
      return value;
    }
    case undefined:
      throw new RecordingError("holds a value of unknown type");
  }
}
