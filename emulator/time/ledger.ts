/** The exit ledger: a row for every exit since reset, with what its handler cost and what it changed. */
import type { Machine } from "../machine.ts";
import type { ObserverEvents } from "../observers.ts";
import type { Guests } from "../svm/guests.ts";
import { VMCB_FIELDS, type VmcbFieldName, vmcbFieldBytes } from "../svm/vmcb.ts";
import type { RecordedFutures } from "./futures.ts";
import type { Instant } from "./instant.ts";
import { CHANGED_WORDS, CHUNK_ROWS, LedgerTable, ROW_BYTES, UNFINISHED } from "./ledger-columns.ts";
import type { Follower } from "./snapshot-store.ts";

/** One row in full. */
export interface ExitRow {
  /** Exits are numbered from 1. */
  readonly number: number;
  /** EXITCODE as a signed number: -1 is INVALID. */
  readonly code: number;
  readonly info1: bigint;
  readonly info2: bigint;
  readonly guestRip: bigint;
  /** The guest's. */
  readonly cr3: bigint;
  /** The guest's: the number of an MSR where the exit is of one. */
  readonly ecx: number;
  /** From 1; 0 where VMRUN never got into a guest of this VMCB. */
  readonly guest: number;
  /** The instant at which a stop at this exit stops. */
  readonly at: Instant;
  /** Instructions that the host retired until its next VMRUN; undefined where none has come. */
  readonly cost: number | undefined;
  /** Fields of the VMCB that differ between the exit and the next VMRUN, of whatever VMCB. */
  readonly changed: readonly VmcbFieldName[];
}

const FIELD_NAMES = Object.keys(VMCB_FIELDS) as VmcbFieldName[];
const NO_FIELD = 0xff;
const MEANINGFUL_BYTES = Math.max(
  ...FIELD_NAMES.map((name) => VMCB_FIELDS[name].offset + vmcbFieldBytes(name)),
);
const COMPARED_BYTES = Math.ceil(MEANINGFUL_BYTES / 4) * 4;
const CR3_OFFSET = VMCB_FIELDS.CR3.offset;

/** The number of the field that each byte of a VMCB belongs to. */
const FIELD_OF_BYTE = new Uint8Array(COMPARED_BYTES).fill(NO_FIELD);
FIELD_NAMES.forEach((name, number) => {
  const { offset } = VMCB_FIELDS[name];
  FIELD_OF_BYTE.fill(number, offset, offset + vmcbFieldBytes(name));
});

/** The bit of a field in a row's set: word and mask. */
export function changedBit(name: VmcbFieldName): { word: number; mask: number } {
  const number = FIELD_NAMES.indexOf(name);
  return { word: number >> 5, mask: (1 << (number & 31)) >>> 0 };
}

/** What goes back in time with the machine. */
interface Saved {
  readonly length: number;
  /** The VMCB as the last exit left it, while its handler runs. */
  readonly pending: { readonly vmcb: number; readonly copy: Uint8Array } | undefined;
  readonly vmrunAt: number;
}

export class ExitLedger implements Follower {
  readonly name = "exit ledger";
  readonly version = "1";
  /** Of the future that the machine is in. */
  readonly table: LedgerTable;
  /** Those of other futures, by their numbers. */
  private readonly left = new Map<number, LedgerTable>();
  private readonly machine: Machine;
  private readonly guests: Guests;
  /** VMCB of the last row while its handler runs; -1 when a VMRUN has come. */
  private pendingVmcb = -1;
  private readonly copy = new Uint32Array(COMPARED_BYTES / 4);
  /** icount of the last VMRUN, before it retired. */
  private vmrunAt = -1;
  /** What the pending row holds when its handler has ended, where that is known from the future. */
  private ending: { readonly cost: number; readonly changed: Uint32Array } | undefined;
  readonly detach: () => void;

  /** The machine stands at its reset, and so does `guests`; `known` is what will come again, or may. */
  constructor(
    machine: Machine,
    guests: Guests,
    known: {
      readonly ledger?: LedgerTable | undefined;
      readonly futures?: RecordedFutures | undefined;
    } = {},
  ) {
    this.machine = machine;
    this.table = known.ledger?.ahead() ?? new LedgerTable();
    for (const { future, rows } of known.futures?.left ?? []) {
      this.left.set(future.number, rows.whole());
    }
    this.guests = guests;
    this.detach = machine.observe({
      name: "exit ledger",
      on: { exit: (event) => this.exited(event), vmrunStart: () => this.entering() },
    });
  }

  get length(): number {
    return this.table.length;
  }

  /** Rows that no VMRUN to come will change. */
  get finished(): number {
    return this.pendingVmcb < 0 ? this.length : this.length - 1;
  }

  /** All rows, those of the future of the present instant too, as they ended. */
  known(): LedgerTable {
    const { table, length, ending, pendingVmcb } = this;
    if (pendingVmcb < 0 || ending === undefined) return table.whole();
    this.closeRow();
    const known = table.whole();
    this.openRow(length - 1, true);
    return known;
  }

  private exited(event: ObserverEvents["exit"]): undefined {
    const { table, machine } = this;
    const isKnown = table.length < table.extent;
    const row = table.add();
    const chunk = table.chunkOf(row);
    const at = row % CHUNK_ROWS;
    const { icount, idleTicks, events } = machine.instant;
    // An exit within VMRUN itself comes before VMRUN retires.
    const withinVmrun = icount === this.vmrunAt;
    chunk.code[at] = Number(BigInt.asIntN(32, event.code));
    chunk.info1.values[at] = event.info1;
    chunk.info2.values[at] = event.info2;
    chunk.guestRip.values[at] = event.guestRip;
    chunk.icount[at] = withinVmrun ? icount + 1 : icount;
    chunk.idleTicks[at] = idleTicks;
    chunk.events[at] = events;
    // #VMEXIT leaves RCX alone.
    chunk.ecx[at] = Number(BigInt.asUintN(32, machine.state.rcx));
    chunk.guest[at] = (withinVmrun ? this.guests.ofVmcb(event.vmcb) : this.guests.current) ?? 0;
    this.openRow(row, isKnown);
    this.pendingVmcb = event.vmcb;
    const words = this.vmcbWords(event.vmcb);
    if (words !== undefined) this.copy.set(words);
    chunk.cr3.words[2 * at] = words?.[CR3_OFFSET / 4] ?? 0;
    chunk.cr3.words[2 * at + 1] = words?.[CR3_OFFSET / 4 + 1] ?? 0;
    return undefined;
  }

  /** The row's handler has not ended yet. */
  private openRow(row: number, isKnown: boolean): void {
    const { cost, changed } = this.table.chunkOf(row);
    const at = row % CHUNK_ROWS;
    const bits = changed.subarray(at * CHANGED_WORDS, (at + 1) * CHANGED_WORDS);
    this.ending = isKnown ? { cost: cost[at] as number, changed: bits.slice() } : undefined;
    cost[at] = UNFINISHED;
    bits.fill(0);
  }

  /** Gives the pending row the ending that it had, before the table goes to another length. */
  private closeRow(table = this.table): void {
    if (this.pendingVmcb < 0 || this.ending === undefined) return;
    const chunk = table.chunkOf(this.length - 1);
    const at = (this.length - 1) % CHUNK_ROWS;
    chunk.cost[at] = this.ending.cost;
    chunk.changed.set(this.ending.changed, at * CHANGED_WORDS);
  }

  private entering(): undefined {
    const { icount } = this.machine;
    this.vmrunAt = icount;
    if (this.pendingVmcb < 0) return undefined;
    const row = this.length - 1;
    const chunk = this.table.chunkOf(row);
    const at = row % CHUNK_ROWS;
    chunk.cost[at] = icount - (chunk.icount[at] as number);
    const words = this.vmcbWords(this.pendingVmcb);
    if (words !== undefined) this.compare(words, chunk.changed, at * CHANGED_WORDS);
    this.pendingVmcb = -1;
    return undefined;
  }

  /** Sets the bits of the fields that differ from the copy. */
  private compare(words: Uint32Array, changed: Uint32Array, first: number): void {
    const { copy } = this;
    for (let word = 0; word < copy.length; word++) {
      const difference = (words[word] as number) ^ (copy[word] as number);
      if (difference === 0) continue;
      for (let byte = 0; byte < 4; byte++) {
        if (((difference >>> (8 * byte)) & 0xff) === 0) continue;
        const field = FIELD_OF_BYTE[4 * word + byte] as number;
        if (field === NO_FIELD) continue;
        const index = first + (field >> 5);
        changed[index] = (changed[index] as number) | (1 << (field & 31));
      }
    }
  }

  /** The VMCB in place; undefined if it does not lie in RAM. */
  private vmcbWords(vmcb: number): Uint32Array | undefined {
    const pointer = this.machine.memory.pointer(vmcb);
    if (pointer < 0) return undefined;
    return new Uint32Array(this.machine.memory.memory.buffer, pointer, COMPARED_BYTES / 4);
  }

  save(): Saved {
    const { length, pendingVmcb: vmcb, vmrunAt } = this;
    const copy = new Uint8Array(this.copy.buffer).slice();
    return { length, vmrunAt, pending: vmcb < 0 ? undefined : { vmcb, copy } };
  }

  /** A recording may have a state without the rows that it is of. */
  recall(plain: unknown): unknown {
    return (plain as Saved).length <= this.table.extent ? plain : undefined;
  }

  forked(left: number): void {
    const table = this.table.fork();
    this.closeRow(table);
    this.ending = undefined;
    this.left.set(left, table);
  }

  switched(left: number, next: number): void {
    const table = this.left.get(next);
    if (table === undefined) throw new Error(`The ledger has no future ${next}`);
    this.closeRow();
    this.ending = undefined;
    this.table.exchange(table);
    this.left.delete(next);
    this.left.set(left, table);
  }

  dropped(future: number): void {
    this.left.delete(future);
  }

  leftBytes(): number {
    const own = new Set([...this.left.values()].flatMap(({ chunks }) => chunks));
    for (const chunk of this.table.chunks) own.delete(chunk);
    return own.size * CHUNK_ROWS * ROW_BYTES;
  }

  /** The rows of a future; undefined for one that is not kept, and for the one that the machine is in. */
  tableLeft(future: number): LedgerTable | undefined {
    return this.left.get(future);
  }

  restore(saved: unknown): void {
    const { length, pending, vmrunAt } = saved as Saved;
    this.closeRow();
    this.table.goTo(length);
    this.vmrunAt = vmrunAt;
    this.pendingVmcb = pending?.vmcb ?? -1;
    if (pending === undefined) return;
    new Uint8Array(this.copy.buffer).set(pending.copy);
    this.openRow(length - 1, true);
  }
}

/** A row, from 0, in full. */
export function exitRow(table: LedgerTable, row: number): ExitRow {
  const chunk = table.chunkOf(row);
  const at = row % CHUNK_ROWS;
  const cost = chunk.cost[at] as number;
  return {
    number: row + 1,
    code: chunk.code[at] as number,
    info1: chunk.info1.values[at] as bigint,
    info2: chunk.info2.values[at] as bigint,
    guestRip: chunk.guestRip.values[at] as bigint,
    cr3: chunk.cr3.values[at] as bigint,
    ecx: chunk.ecx[at] as number,
    guest: chunk.guest[at] as number,
    at: {
      icount: chunk.icount[at] as number,
      idleTicks: chunk.idleTicks[at] as number,
      events: chunk.events[at] as number,
    },
    cost: cost === UNFINISHED ? undefined : cost,
    changed: FIELD_NAMES.filter((_, number) => {
      const word = chunk.changed[at * CHANGED_WORDS + (number >> 5)] as number;
      return ((word >>> (number & 31)) & 1) !== 0;
    }),
  };
}
