/** Futures that were left, in a recording: what entered each and its exits; what several have stands once. */
import { exitsUpTo } from "./compare-futures.ts";
import { type FutureName, parting, type RecordedFutures } from "./futures.ts";
import type { LoggedInput } from "./input-log.ts";
import type { Instant } from "./instant.ts";
import { CHUNK_ROWS, type LedgerTable } from "./ledger-columns.ts";
import { ByteReader, ByteWriter, RecordingError } from "./recording-bytes.ts";
import {
  readInputs,
  readInstant,
  readLedger,
  writeInputs,
  writeInstant,
  writeLedger,
} from "./recording-parts.ts";

/** `inputs` and `table` are those of the present one. */
export function writeFutures(
  { present, left }: RecordedFutures,
  inputs: readonly LoggedInput[],
  table: LedgerTable,
): Uint8Array {
  const writer = writeName(new ByteWriter(), present).number(left.length);
  const known = [inputs];
  for (const { future, rows } of left) {
    writeInstant(writeName(writer, future), future.end);
    const common = known.map((each) => commonInputs(each, future.inputs));
    const most = Math.max(...common);
    writer.number(common.indexOf(most)).number(most);
    writer.bytes(writeInputs(future.inputs.slice(most)));
    known.push(future.inputs);
    writeRows(writer, rows, commonRows(table, rows, parting(inputs, future.inputs).at));
  }
  return writer.done;
}

/** Of the present one the same are read before. */
export function readFutures(
  part: Uint8Array,
  inputs: readonly LoggedInput[],
  table: LedgerTable,
): RecordedFutures {
  const reader = new ByteReader(part);
  const present = readName(reader);
  const known = [inputs];
  const left: RecordedFutures["left"][number][] = [];
  for (let count = reader.number(); count > 0; count--) {
    const name = readName(reader);
    const end = readInstant(reader);
    const [base, most] = [known[reader.number()], reader.number()];
    if (base === undefined || most > base.length) {
      throw new RecordingError("holds a future without what it goes on from");
    }
    const own = [...base.slice(0, most), ...readInputs(reader.bytes())];
    known.push(own);
    left.push({ future: { ...name, inputs: own, end }, rows: readRows(reader, table) });
  }
  return { present, left };
}

function writeName(writer: ByteWriter, { number, fork }: FutureName): ByteWriter {
  writer.number(number).byte(fork === undefined ? 0 : 1);
  return fork ? writeInstant(writer.number(fork.from), fork.at).number(fork.inputs) : writer;
}

function readName(reader: ByteReader): FutureName {
  const number = reader.number();
  if (reader.byte() === 0) return { number, fork: undefined };
  const from = reader.number();
  return { number, fork: { from, at: readInstant(reader), inputs: reader.number() } };
}

/** The same inputs are the same objects, and are so again when they are read. */
function commonInputs(a: readonly LoggedInput[], b: readonly LoggedInput[]): number {
  let count = 0;
  while (count < a.length && a[count] === b[count]) count++;
  return count;
}

/** The handler of the last exit before the two part may go on otherwise in each. */
const commonRows = (a: LedgerTable, b: LedgerTable, at: Instant): number =>
  Math.max(0, Math.min(exitsUpTo(a, at), exitsUpTo(b, at)) - 1);

function writeRows(writer: ByteWriter, rows: LedgerTable, from: number): void {
  const pieces = Math.ceil((rows.extent - from) / CHUNK_ROWS);
  writer.number(from).number(pieces);
  for (let i = 0; i < pieces; i++) {
    const start = from + i * CHUNK_ROWS;
    writer.bytes(writeLedger(rows, start, Math.min(rows.extent, start + CHUNK_ROWS)));
  }
}

function readRows(reader: ByteReader, table: LedgerTable): LedgerTable {
  const from = reader.number();
  if (from > table.extent) throw new RecordingError("holds a future without all of its exits");
  const rows = table.upTo(from);
  for (let pieces = reader.number(); pieces > 0; pieces--) readLedger(reader.bytes(), rows);
  return rows;
}
