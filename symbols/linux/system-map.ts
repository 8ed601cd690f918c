/** Reads a kernel's System.map: a line a symbol, "ffffffff81000000 T _text", as nm prints it. */
import { FormatError } from "../dwarf/reader.ts";
import { type KernelPart, partsOf } from "./kernel-parts.ts";
import { KernelSymbols } from "./kernel-symbols.ts";
import { type SymbolColumns, SymbolList } from "./symbol-list.ts";

const LINE = /^([0-9a-f]{8,16}) ([A-Za-z]) (\S+)$/;

/** Whether the file looks like one: told by its first line. */
export function isSystemMap(bytes: Uint8Array): boolean {
  const end = bytes.subarray(0, 256).indexOf(0x0a);
  return end > 0 && LINE.test(new TextDecoder("latin1").decode(bytes.subarray(0, end)));
}

/** Throws a FormatError of one sentence for a line that is no symbol. */
export function readSystemMap(
  bytes: Uint8Array,
  file: string,
): { symbols: KernelSymbols; parts: KernelPart[] } {
  const lines = new TextDecoder("latin1").decode(bytes).trimEnd().split("\n");
  const symbols = lines.map((line, i) => {
    const [, address, type, name] = LINE.exec(line) ?? [];
    if (address === undefined || type === undefined || name === undefined) {
      throw new FormatError(
        `${file}: line ${i + 1} is no symbol as nm prints it: give a System.map`,
      );
    }
    return { address: BigInt(`0x${address}`), type, name };
  });
  // Stable: symbols at one address stay in the file's order.
  symbols.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const columns: SymbolColumns = {
    addresses: BigUint64Array.from(symbols, (each) => each.address),
    names: symbols.map((each) => each.name),
    types: symbols.map((each) => each.type).join(""),
  };
  const list = new SymbolList(columns);
  return { symbols: new KernelSymbols({ symbols: list }), parts: partsOf(list) };
}
