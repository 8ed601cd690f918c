/** Where instructions begin in the pages of one address space, as well as it can be known. */
import { LONGEST_INSTRUCTION, PAGE_SIZE } from "../emulator/index.ts";
import type { MemoryReference, SpaceName } from "./addresses/memory-reference.ts";
import { worldOf } from "./addresses/translation.ts";
import type { Debuggee } from "./debuggee.ts";
import {
  codeBits,
  linearOf,
  liveRegisters,
  type RegisterFile,
  type World,
} from "./register-file.ts";
import type { CodeBits, Disassembler } from "./services.ts";

/** How far before a page decoding starts that is to fall into step with its code. */
const RUN_UP = 512;
/** A function is decoded from its start if that is not farther. */
const FUNCTION_RUN_UP = 2048;
const PAGE = BigInt(PAGE_SIZE);

/** An instruction, a byte that is none, or (without bytes) a page that cannot be read. */
export interface CodeRow {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly isValid: boolean;
  /** Linear address that a direct branch or call goes to. */
  readonly target?: bigint | undefined;
}

/** An offset in a page at which an instruction begins for certain; its code size, if that is known. */
interface Anchor {
  readonly offset: number;
  readonly bits: CodeBits | undefined;
}

interface PageContents {
  /** The page's bytes, none where it cannot be read, and behind them what an instruction may need. */
  readonly bytes: Uint8Array;
  /** Ascending. */
  readonly anchors: readonly Anchor[];
  readonly reason: string;
}

/**
 * Decodes page by page. Instructions begin at the reference and at anchors: rip, what the CPU has
 * decoded to execute, the starts of functions; between them where decoding leads, and at a page's
 * start where a run-up through the page before leads.
 */
export class CodePageView {
  private readonly debuggee: Debuggee;
  private readonly disassembler: Disassembler;
  private readonly reference: MemoryReference;
  private readonly space: SpaceName;
  private readonly world: World;
  private readonly registers: RegisterFile;
  private readonly pages = new Map<bigint, PageContents>();

  constructor(debuggee: Debuggee, disassembler: Disassembler, reference: MemoryReference) {
    this.debuggee = debuggee;
    this.disassembler = disassembler;
    this.reference = reference;
    this.space = reference.space;
    this.world = worldOf(reference.space);
    this.registers = debuggee.registers(this.world) ?? liveRegisters(debuggee.machine);
  }

  /** The rows that begin in a page: they leave no byte out, and the next page's go on behind them. */
  rows(page: bigint): CodeRow[] {
    const { bytes, anchors, reason } = this.page(page);
    const inside = this.referenceIn(page);
    if (bytes.length === 0) {
      const offsets = inside === undefined || inside === 0 ? [0] : [0, inside];
      return offsets.map((offset) => unreadable(page * PAGE + BigInt(offset), reason));
    }
    const first = this.firstStart(page);
    const begins = new Set(anchors.map(({ offset }) => offset)).add(inside ?? first).add(first);
    const cuts = [...begins].filter((each) => each >= first).sort((x, y) => x - y);
    const rows: CodeRow[] = [];
    cuts.forEach((from, i) => {
      const to = cuts[i + 1] ?? PAGE_SIZE;
      rows.push(...this.decode(page, from, to));
    });
    return this.joined(page, rows);
  }

  /** Makes the last row end where the first of the next page begins. */
  private joined(page: bigint, rows: CodeRow[]): CodeRow[] {
    const next = this.page(page + 1n).bytes.length === 0 ? 0 : this.firstStart(page + 1n);
    const start = page * PAGE;
    const want = start + PAGE + BigInt(next);
    const last = rows.at(-1);
    const end = last === undefined ? start : last.address + BigInt(last.bytes.length);
    if (end === want) return rows;
    const from = last !== undefined && end > want ? (rows.pop() as CodeRow).address : end;
    const { bytes } = this.page(page);
    for (let at = from; at < want; at++) {
      const offset = Number(at - start);
      rows.push(badByte(at, bytes.subarray(offset, offset + 1)));
    }
    return rows;
  }

  /** Offset of the reference, if it lies in the page. */
  private referenceIn(page: bigint): number | undefined {
    const { address } = this.reference;
    return address / PAGE === page ? Number(address % PAGE) : undefined;
  }

  /**
   * Offset of the first instruction that begins in a page: not 0 where one reaches in. The reference
   * has no part in the run-up, so that every reference on a row sees the same rows.
   */
  private firstStart(page: bigint): number {
    const anchor = this.page(page).anchors[0]?.offset ?? PAGE_SIZE;
    const known = Math.min(anchor, this.referenceIn(page) ?? PAGE_SIZE);
    if (known === 0 || page === 0n) return 0;
    const { bytes, anchors } = this.page(page - 1n);
    if (bytes.length === 0) return 0;
    const before = anchors.at(-1)?.offset ?? 0;
    const from = Math.max(before, this.runUp(page));
    const last = this.decode(page - 1n, from, PAGE_SIZE).at(-1);
    if (last === undefined) return 0;
    const reach = Number(last.address + BigInt(last.bytes.length) - page * PAGE);
    return Math.min(Math.max(0, reach), known);
  }

  private runUp(page: bigint): number {
    const hit = this.functionAt(page * PAGE);
    const start = hit === undefined ? undefined : Number(hit.start - (page - 1n) * PAGE);
    if (start !== undefined && start >= PAGE_SIZE - FUNCTION_RUN_UP && start <= PAGE_SIZE) {
      return start;
    }
    return PAGE_SIZE - RUN_UP;
  }

  /** Instructions from `from` that begin before `to`; only at the page's end may one reach beyond. */
  private decode(page: bigint, from: number, to: number): CodeRow[] {
    const { bytes } = this.page(page);
    const bits = this.bitsAt(page, from);
    const piece = bytes.subarray(from, to === PAGE_SIZE ? bytes.length : to);
    const linear = page * PAGE + BigInt(from);
    const base = this.codeBase(bits, linear);
    const rows: CodeRow[] = [];
    let at = from;
    const decoded = this.disassembler.decode(piece, linear - base, bits, to - from);
    for (const { length, text, isValid, target } of decoded) {
      if (at >= to) break;
      const address = page * PAGE + BigInt(at);
      const row = { address, bytes: bytes.subarray(at, at + length), text, isValid };
      rows.push(target === undefined ? row : { ...row, target: target + base });
      at += length;
    }
    return rows;
  }

  /** What linear addresses are more than offsets in CS, for code that CS may reach. */
  private codeBase(bits: CodeBits, linear: bigint): bigint {
    if (bits === 64) return 0n;
    const base = this.registers.segment("cs")?.base ?? 0n;
    const limit = bits === 16 ? 0x1_0000n : 1n << 32n;
    return linear >= base && linear < base + limit ? base : 0n;
  }

  /** By the nearest anchor before that knows, else the nearest behind, else the world's CS. */
  private bitsAt(page: bigint, offset: number): CodeBits {
    const known = this.page(page).anchors.filter(({ bits }) => bits !== undefined);
    const found = known.findLast((each) => each.offset <= offset) ?? known[0];
    return found?.bits ?? codeBits(this.registers);
  }

  private page(page: bigint): PageContents {
    const cached = this.pages.get(page);
    if (cached !== undefined) return cached;
    const made = this.readPage(page);
    this.pages.set(page, made);
    return made;
  }

  private readPage(page: bigint): PageContents {
    const { spaces, machine } = this.debuggee;
    const place = { space: this.space, address: BigInt.asUintN(64, page * PAGE) };
    const found = page * PAGE >= 1n << 64n ? undefined : spaces.translate(place);
    if (found?.kind !== "page") {
      return { bytes: new Uint8Array(0), anchors: [], reason: found?.reason ?? "" };
    }
    if (machine.memory.pointer(found.physical) < 0) {
      const device = machine.memory.deviceAt(found.physical);
      const reason = device === undefined ? "nothing is there" : `it is the ${device.name}'s`;
      return { bytes: new Uint8Array(0), anchors: [], reason };
    }
    const bytes = spaces.read(place, PAGE_SIZE + LONGEST_INSTRUCTION - 1);
    const sizes = new Map<number, CodeBits | undefined>();
    for (const offset of this.functionStarts(page)) sizes.set(offset, undefined);
    const { codePages } = machine.cpu.engine;
    for (const { offset, code } of codePages.starts(machine.memory.canonical(found.physical))) {
      sizes.set(offset, code);
    }
    const virtual = this.space.kind === "hva" || this.space.kind === "gva";
    if (virtual) {
      const rip = linearOf(this.registers, this.registers.get("rip") ?? 0n);
      this.mark(sizes, page, rip, codeBits(this.registers));
    }
    const anchors = [...sizes]
      .map(([offset, bits]) => ({ offset, bits }))
      .sort((a, b) => a.offset - b.offset);
    return { bytes, anchors, reason: "" };
  }

  private mark(
    sizes: Map<number, CodeBits | undefined>,
    page: bigint,
    address: bigint,
    bits: CodeBits,
  ): void {
    if (address / PAGE === page) sizes.set(Number(address % PAGE), bits);
  }

  private functionAt(address: bigint) {
    const { images } = this.debuggee;
    return images.at(this.world, address)?.symbols.functionAt(address);
  }

  /** Offsets at which functions begin. */
  private functionStarts(page: bigint): number[] {
    if (this.space.kind === "hpa" || this.space.kind === "gpa") return [];
    const start = page * PAGE;
    const starts: number[] = [];
    for (let at = start; at < start + PAGE; ) {
      const hit = this.functionAt(at);
      if (hit?.offset === 0n) starts.push(Number(at - start));
      at = hit?.end !== undefined && hit.end > at ? hit.end : at + 1n;
    }
    return starts;
  }
}

function unreadable(address: bigint, reason: string): CodeRow {
  const text = `(unreadable: ${reason})`;
  return { address, bytes: new Uint8Array(0), text, isValid: false };
}

function badByte(address: bigint, bytes: Uint8Array): CodeRow {
  return { address, bytes, text: "(bad)", isValid: false };
}
