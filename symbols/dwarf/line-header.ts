// Reads the header of a line number program, versions 2 to 5 (DWARF 5 section 6.2.4).
import { joinPath } from "../source-path.ts";
import { asNumber, asString, type FormContext, readForm } from "./forms.ts";
import type { Reader } from "./reader.ts";
import type { DwarfSections } from "./sections.ts";

export interface LineHeader {
  readonly version: number;
  readonly addressSize: number;
  readonly minimumInstructionLength: number;
  readonly maximumOperations: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Number of LEB128 operands of each standard opcode; index 0 is opcode 1. */
  readonly opcodeLengths: readonly number[];
  readonly directories: readonly string[];
  /** Normalised paths as the program numbers them: from 1 until version 4, where 0 is unused. */
  readonly files: readonly string[];
  /** The program itself, up to the end of the unit. */
  readonly program: Reader;
}

const CONTENT_PATH = 1;
const CONTENT_DIRECTORY = 2;

/**
 * Reads the header at `offset` of .debug_line. Paths are joined from the include directories and
 * `compDir`, the compilation directory (until version 4 the header does not hold it).
 */
export function readLineHeader(
  sections: DwarfSections,
  offset: number,
  compDir: string,
): LineHeader {
  const start = sections.open("line", offset);
  const { length, offsetSize } = start.initialLength();
  const reader = start.slice(length);
  const version = reader.u16();
  if (version < 2 || version > 5) throw reader.error(`line table version ${version}`);
  let addressSize = sections.addressSize;
  if (version >= 5) {
    addressSize = reader.u8() === 4 ? 4 : 8;
    reader.skip(1);
  }
  const headerLength = reader.offset(offsetSize);
  const program = reader.slice(reader.remaining);
  reader.position = program.position;
  program.skip(headerLength);
  const minimumInstructionLength = reader.u8();
  const maximumOperations = version >= 4 ? reader.u8() : 1;
  const defaultIsStatement = reader.u8() !== 0;
  const lineBase = reader.i8();
  const lineRange = reader.u8();
  const opcodeBase = reader.u8();
  if (lineRange === 0 || maximumOperations === 0 || opcodeBase === 0) {
    throw reader.error("line table header with a zero line range, operation count or opcode base");
  }
  const opcodeLengths = Array.from({ length: opcodeBase - 1 }, () => reader.u8());
  const context = { sections, version, addressSize, offsetSize, unitOffset: 0 };
  const names = version >= 5 ? readNames5(reader, context, compDir) : readNames(reader, compDir);
  return {
    version,
    addressSize,
    minimumInstructionLength,
    maximumOperations,
    defaultIsStatement,
    lineBase,
    lineRange,
    opcodeBase,
    opcodeLengths,
    ...names,
    program,
  };
}

interface Names {
  readonly directories: string[];
  readonly files: string[];
}

/** Until version 4: strings up to an empty one; directory 0 is the compilation directory. */
function readNames(reader: Reader, compDir: string): Names {
  const directories = [compDir];
  for (let name = reader.string(); name !== ""; name = reader.string()) {
    directories.push(joinPath(compDir, name));
  }
  const files = [""];
  for (let name = reader.string(); name !== ""; name = reader.string()) {
    files.push(joinPath(directories[reader.uleb()] ?? compDir, name));
    reader.uleb();
    reader.uleb();
  }
  return { directories, files };
}

/** Version 5: tables that describe their own columns; directory 0 and file 0 are in them. */
function readNames5(reader: Reader, context: FormContext, compDir: string): Names {
  const directories = readEntries(reader, context).map((entry) => joinPath(compDir, entry.path));
  const files = readEntries(reader, context).map((entry) =>
    joinPath(directories[entry.directory] ?? compDir, entry.path),
  );
  return { directories, files };
}

function readEntries(reader: Reader, context: FormContext) {
  const format = Array.from({ length: reader.u8() }, () => [reader.uleb(), reader.uleb()] as const);
  const count = reader.uleb();
  // Each entry takes at least a byte, which bounds a damaged count.
  if (count > 0 && (format.length === 0 || count > reader.remaining)) {
    throw reader.error(`line table header names ${count} entries`);
  }
  const entries: { path: string; directory: number }[] = [];
  for (let i = 0; i < count; i++) {
    let [path, directory] = ["", 0];
    for (const [content, form] of format) {
      const value = readForm(reader, form, 0n, context);
      if (content === CONTENT_PATH) path = asString(value) ?? "";
      if (content === CONTENT_DIRECTORY) directory = asNumber(value) ?? 0;
    }
    entries.push({ path, directory });
  }
  return entries;
}
