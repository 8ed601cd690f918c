/** Linear-address memory of one vCPU: TLB, walks on misses, and the slow paths of generated code. */

import { CPU_FIELDS } from "../state/cpu-fields.ts";
import type { CpuState } from "../state/cpu-state.ts";
import {
  FAST_TLB_ENTRY,
  FAST_TLB_OFFSET,
  PAGE_SIZE,
  PageReason,
  TLB_ENTRIES,
} from "../state/memory-map.ts";
import { GuestFault, InterceptExit } from "../system/exceptions.ts";
import type { AccessPrivilege, Mmu, PhysicalAddress } from "../vcpu.ts";
import { CpuPaging } from "./cpu-paging.ts";
import { FastTags } from "./fast-tags.ts";
import { join32 } from "./halves.ts";
import { LinearWatches } from "./linear-watch.ts";
import { Walk } from "./page-walk.ts";
import { Access, Cr0, Rights } from "./paging-bits.ts";
import type { MachineMemory } from "./physical-memory.ts";
import { Tlb } from "./tlb.ts";

const VMEXIT_NPF = 0x400;
/** EXITINFO1 of a nested fault: which walk it ended (APM volume 2, section 15.25.6). */
const FINAL_WALK = 1n << 32n;
const TABLE_WALK = 1n << 33n;

const WITHHOLDS_WRITE_TAG = 0xff;

export class LinearMemory implements Mmu {
  readonly tlb: Tlb;
  readonly watches: LinearWatches;
  /** Deterministic counts for benchmarks; not machine state. */
  readonly counters = { slowPaths: 0, walks: 0 };

  readonly #state: CpuState;
  readonly #memory: MachineMemory;
  readonly #paging: CpuPaging;
  readonly #fast: FastTags;
  readonly #bounce: number;
  /** CR0.WP, CR4.SMAP and ASID for which each world's fast tags were made. */
  readonly #rules = [-1, -1];

  /** A 64-bit address is split by storing it here; the halves are little-endian. */
  readonly #split64 = new BigInt64Array(1);
  readonly #split32 = new Int32Array(this.#split64.buffer);
  #high = 0;
  /** Slot of the entry that the last #locate used. */
  #slot = 0;
  /** Second page of an access that crosses a page. */
  #nextLow = 0;
  #nextHigh = 0;
  /** The access whose bytes go through the bounce buffer: one part, or one on each page. */
  #firstLow = 0;
  #firstHigh = 0;
  #firstAt = 0;
  #firstSize = 0;
  #secondAt = 0;
  #secondSize = 0;
  /** The read under way belongs to a write, which is told of instead. */
  #silent = false;

  constructor(memory: MachineMemory, state: CpuState) {
    this.#state = state;
    this.#memory = memory;
    this.#paging = new CpuPaging(memory.memory, state, memory);
    this.#fast = new FastTags(memory.memory, state.base);
    this.tlb = new Tlb(memory.memory, state.base, this.#fast);
    this.watches = new LinearWatches(memory, state);
    this.#bounce = state.base + CPU_FIELDS.bounce0.offset;
    memory.tagListeners.push((page) => {
      if (page < 0) this.#fast.dropAll();
      else this.tlb.dropFastTagsOf(page);
    });
    this.selectBank();
  }

  read(linear: bigint, size: number, privilege: AccessPrivilege = "cpl"): bigint {
    const low = this.#split(linear);
    const high = this.#high;
    const access = this.#access(Access.read, privilege);
    const first = PAGE_SIZE - (low & 0xfff);
    if (size <= first) return this.#readPart(low, high, this.#locate(low, high, access), size);
    this.#next(low, high, privilege);
    const firstAt = this.#locate(low, high, access);
    const secondAt = this.#locate(this.#nextLow, this.#nextHigh, access);
    const value = this.#readPart(low, high, firstAt, first);
    const rest = this.#readPart(this.#nextLow, this.#nextHigh, secondAt, size - first);
    return value | (rest << BigInt(first * 8));
  }

  readForWrite(linear: bigint, size: number): bigint {
    this.probeWrite(linear, size);
    this.#silent = true;
    try {
      return this.read(linear, size);
    } finally {
      this.#silent = false;
    }
  }

  write(linear: bigint, size: number, value: bigint, privilege: AccessPrivilege = "cpl"): void {
    const low = this.#split(linear);
    const high = this.#high;
    const access = this.#access(Access.write, privilege);
    const first = PAGE_SIZE - (low & 0xfff);
    if (size <= first) {
      this.#writePart(low, high, this.#locate(low, high, access), size, value);
      return;
    }
    this.#next(low, high, privilege);
    const firstAt = this.#locate(low, high, access);
    const secondAt = this.#locate(this.#nextLow, this.#nextHigh, access);
    this.#writePart(low, high, firstAt, first, BigInt.asUintN(first * 8, value));
    const rest = value >> BigInt(first * 8);
    this.#writePart(this.#nextLow, this.#nextHigh, secondAt, size - first, rest);
  }

  #readPart(low: number, high: number, at: PhysicalAddress, size: number): bigint {
    const value = this.#memory.read(at, size);
    if (!this.#silent) this.watches.tellRead(low, high, at, size, value);
    return value;
  }

  #writePart(low: number, high: number, at: PhysicalAddress, size: number, value: bigint): void {
    if (!this.watches.covers(low, high)) {
      this.#memory.write(at, size, value);
      return;
    }
    const store = (): void => this.#memory.write(at, size, value);
    this.watches.aroundWrite(low, high, at, size, value, store);
  }

  probeWrite(linear: bigint, size: number, privilege: AccessPrivilege = "cpl"): void {
    const low = this.#split(linear);
    const high = this.#high;
    const access = this.#access(Access.write, privilege);
    this.#locate(low, high, access);
    if ((low & 0xfff) + size <= PAGE_SIZE) return;
    this.#next(low, high, privilege);
    this.#locate(this.#nextLow, this.#nextHigh, access);
  }

  translateFetch(linear: bigint): PhysicalAddress {
    const low = this.#split(linear);
    const high = this.#high;
    const paging = this.#paging;
    const user = paging.cpl === 3;
    const slot = this.tlb.codeSlot(paging.world * 2 + (user ? 1 : 0), low);
    const known = this.tlb.matches(slot, low, high, paging.asid);
    // CR4.SMEP may have been set since the entry was made.
    const checked = !user && paging.smep && (this.tlb.rights(slot) & Rights.user) !== 0;
    if (!known || checked) {
      this.#fill(slot, low, high, user ? Access.fetch | Access.user : Access.fetch);
    }
    return this.tlb.frame(slot) * PAGE_SIZE + (low & 0xfff);
  }

  readSlow(linear: bigint, size: number): number {
    this.counters.slowPaths++;
    const low = this.#split(linear);
    const high = this.#high;
    const access = this.#access(Access.read, "cpl");
    if ((low & 0xfff) + size > PAGE_SIZE) {
      this.#locateBoth(low, high, size, access);
      this.#gather();
      this.#tellGathered();
      return this.#bounce;
    }
    const physical = this.#locate(low, high, access);
    let pointer = this.#memory.pointer(physical);
    if (pointer < 0) {
      this.#memory.copyOut(physical, size, this.#bounce);
      pointer = this.#bounce;
    } else {
      this.#installFast(this.#slot, low, high, access);
      this.#memory.noteRead(physical, size);
    }
    if (this.watches.covers(low, high)) {
      this.watches.tellRead(low, high, physical, size, this.watches.valueOf(pointer, size));
    }
    return pointer;
  }

  writeSlow(linear: bigint, size: number): number {
    return this.#write(linear, size, false);
  }

  modifySlow(linear: bigint, size: number): number {
    return this.#write(linear, size, true);
  }

  commitWrite(): void {
    const firstSize = this.#firstSize;
    const secondSize = this.#secondSize;
    this.#commitPart(this.#firstLow, this.#firstHigh, this.#firstAt, firstSize, this.#bounce);
    if (secondSize === 0) return;
    const from = this.#bounce + firstSize;
    this.#commitPart(this.#nextLow, this.#nextHigh, this.#secondAt, secondSize, from);
  }

  #commitPart(low: number, high: number, at: PhysicalAddress, size: number, from: number): void {
    if (!this.watches.covers(low, high)) {
      this.#memory.copyIn(at, size, from);
      return;
    }
    const store = (): void => this.#memory.copyIn(at, size, from);
    this.watches.aroundWrite(low, high, at, size, this.watches.valueOf(from, size), store);
  }

  /**
   * Makes data accesses to a linear page, of every world and address space, events (linearAccess)
   * until the returned function is called. Several may watch one page. Only fast tags are withheld:
   * the architectural TLB is as it would be without.
   */
  watchLinear(linear: bigint): () => void {
    if (this.watches.add(linear)) this.#fast.dropPage(this.#split(linear));
    let watching = true;
    return () => {
      if (watching) this.watches.remove(linear);
      watching = false;
    };
  }

  flushNonGlobal(): void {
    this.tlb.flushAsid(this.#paging.asid, true);
  }

  flushAll(): void {
    this.tlb.flushAll();
  }

  flushAsid(asid: number, keepGlobal: boolean): void {
    this.tlb.flushAsid(asid, keepGlobal);
  }

  flushPage(linear: bigint, asid: number): void {
    const low = this.#split(linear);
    const high = this.#high;
    this.tlb.flushPage(low, high, asid);
  }

  dropFastTags(): void {
    this.#fast.dropAll();
  }

  /** The TLB's entries came back from a snapshot. */
  restored(): void {
    this.tlb.restored();
    this.selectBank();
  }

  selectBank(): void {
    const paging = this.#paging;
    const world = paging.world;
    const bank = world * 2 + (paging.cpl === 3 ? 1 : 0);
    this.#state.tlbBank = this.#state.base + FAST_TLB_OFFSET + bank * TLB_ENTRIES * FAST_TLB_ENTRY;
    const wp = (paging.cr0 & Cr0.writeProtect) !== 0 ? 2 : 0;
    const rules = paging.asid * 4 + wp + (paging.smap ? 1 : 0);
    if (rules === this.#rules[world]) return;
    this.#rules[world] = rules;
    this.#fast.dropWorld(world);
  }

  /** The low half of an address; the high half is in #high. */
  #split(linear: bigint): number {
    this.#split64[0] = linear;
    this.#high = this.#split32[1] as number;
    return this.#split32[0] as number;
  }

  #access(kind: number, privilege: AccessPrivilege): number {
    const paging = this.#paging;
    if (privilege === "cpl" && paging.cpl === 3) return kind | Access.user;
    if (paging.smap && (privilege === "system" || !paging.alignmentCheck))
      return kind | Access.smap;
    return kind;
  }

  /** First byte of the page after this one; it wraps at 4 GiB outside 64-bit mode. */
  #next(low: number, high: number, privilege: AccessPrivilege): void {
    this.#nextLow = ((low & ~0xfff) + PAGE_SIZE) | 0;
    this.#nextHigh = high;
    if (this.#nextLow !== 0) return;
    const wide = privilege === "system" ? this.#paging.longModeActive : this.#paging.bits64;
    if (wide) this.#nextHigh = (high + 1) | 0;
  }

  /** Host-physical address for a data access, by the TLB or a walk; leaves the slot in #slot. */
  #locate(low: number, high: number, access: number): PhysicalAddress {
    const paging = this.#paging;
    const user = (access & Access.user) !== 0 ? 1 : 0;
    const slot = this.tlb.dataSlot(paging.world * 2 + user, low);
    this.#slot = slot;
    const known = this.tlb.matches(slot, low, high, paging.asid);
    if (!known || !this.#allows(this.tlb.rights(slot), access)) {
      this.#fill(slot, low, high, access);
    }
    return this.tlb.frame(slot) * PAGE_SIZE + (low & 0xfff);
  }

  /** Both halves of an access that crosses a page, checked before anything is done. */
  #locateBoth(low: number, high: number, size: number, access: number): void {
    const first = PAGE_SIZE - (low & 0xfff);
    this.#next(low, high, "cpl");
    this.#requireCanonical(this.#nextHigh);
    this.#firstLow = low;
    this.#firstHigh = high;
    this.#firstAt = this.#locate(low, high, access);
    this.#firstSize = first;
    this.#secondAt = this.#locate(this.#nextLow, this.#nextHigh, access);
    this.#secondSize = size - first;
  }

  /** Whether an entry serves an access; what it denies is walked again, and faults there. */
  #allows(rights: number, access: number): boolean {
    if ((access & Access.smap) !== 0 && (rights & Rights.user) !== 0) return false;
    return (access & Access.write) === 0 || this.#writable(rights, (access & Access.user) !== 0);
  }

  #writable(rights: number, user: boolean): boolean {
    if ((rights & Rights.dirty) === 0) return false;
    if ((rights & Rights.write) !== 0) return true;
    return !user && (this.#paging.cr0 & Cr0.writeProtect) === 0;
  }

  #fill(slot: number, low: number, high: number, access: number): void {
    const paging = this.#paging;
    this.#requireCanonical(high);
    this.counters.walks++;
    const stage = paging.prepare();
    const outcome = stage.walk(low, high, access);
    if (outcome !== Walk.done) this.#raise(outcome, low, high);
    const frame = Math.floor(this.#memory.canonical(stage.physical) / PAGE_SIZE);
    this.tlb.set(slot, low, high, frame, stage.rights, paging.asid, stage.pageBits);
  }

  /** Long mode: bits 63:47 of a linear address are equal. */
  #requireCanonical(high: number): void {
    if (!this.#paging.longModeActive || high >> 15 === 0 || high >> 15 === -1) return;
    throw new GuestFault("GP");
  }

  #raise(outcome: Walk, low: number, high: number): never {
    const { stage, nested } = this.#paging;
    if (outcome === Walk.fault) throw new GuestFault("PF", stage.faultCode, join32(low, high));
    const walk = outcome === Walk.tableFault ? TABLE_WALK : FINAL_WALK;
    const address = join32(nested.inputLow, nested.inputHigh);
    throw new InterceptExit(VMEXIT_NPF, walk | BigInt(nested.faultCode), address);
  }

  /** Gives generated code what the entry and the page's reasons let it have. */
  #installFast(slot: number, low: number, high: number, access: number): void {
    if (this.watches.covers(low, high)) return;
    const frame = this.tlb.frame(slot);
    const rights = this.tlb.rights(slot);
    const user = (access & Access.user) !== 0;
    const reasons = this.#memory.reasons(frame * PAGE_SIZE);
    // Under SMAP a supervisor's access to a user page depends on RFLAGS.AC: always checked.
    const checked = !user && (rights & Rights.user) !== 0 && this.#paging.smap;
    const read = (reasons & PageReason.watchRead) === 0 && !checked;
    const write = read && (reasons & WITHHOLDS_WRITE_TAG) === 0 && this.#writable(rights, user);
    this.#fast.set(slot, low, high, frame, read, write);
  }

  #write(linear: bigint, size: number, modify: boolean): number {
    this.counters.slowPaths++;
    const low = this.#split(linear);
    const high = this.#high;
    const access = this.#access(Access.write, "cpl");
    if ((low & 0xfff) + size > PAGE_SIZE) {
      this.#locateBoth(low, high, size, access);
    } else {
      const physical = this.#locate(low, high, access);
      const watched = this.watches.covers(low, high);
      if (!watched && this.#memory.admitWrite(physical, size)) {
        this.#installFast(this.#slot, low, high, access);
        if (modify) this.#memory.noteRead(physical, size);
        return this.#memory.pointer(physical);
      }
      this.#firstLow = low;
      this.#firstHigh = high;
      this.#firstAt = physical;
      this.#firstSize = size;
      this.#secondSize = 0;
    }
    if (modify) this.#gather();
    return this.#bounce;
  }

  /** Tells of a read of both parts, whose bytes are in the bounce buffer. */
  #tellGathered(): void {
    const { watches } = this;
    const parts = [
      [this.#firstLow, this.#firstHigh, this.#firstAt, this.#firstSize, 0],
      [this.#nextLow, this.#nextHigh, this.#secondAt, this.#secondSize, this.#firstSize],
    ] as const;
    for (const [low, high, at, size, offset] of parts) {
      if (!watches.covers(low, high)) continue;
      watches.tellRead(low, high, at, size, watches.valueOf(this.#bounce + offset, size));
    }
  }

  /** Copies the present bytes of the located access to the bounce buffer. */
  #gather(): void {
    this.#memory.copyOut(this.#firstAt, this.#firstSize, this.#bounce);
    if (this.#secondSize === 0) return;
    this.#memory.copyOut(this.#secondAt, this.#secondSize, this.#bounce + this.#firstSize);
  }
}
