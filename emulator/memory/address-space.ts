/** Memory as the debugger addresses it: hpa, hva, gpa or gva, read and written without side effects. */

import { PAGE_SIZE } from "../state/memory-map.ts";
import type { MachineMemory } from "./physical-memory.ts";
import {
  type NestedContext,
  type PagingContext,
  type Translation,
  type TranslationAccess,
  Translator,
} from "./translate.ts";

export interface AddressSpace {
  readonly kind: "hpa" | "hva" | "gpa" | "gva";
  /** Replaces CR3 (hva, gva) or nCR3 (gpa). */
  readonly root?: bigint;
}

/** The worlds in which addresses are meant, chosen by the caller (any VMCB, any saved host state). */
export interface Worlds {
  readonly host: PagingContext;
  /** Without `nested`, guest-physical addresses are host-physical. */
  readonly guest?: { readonly paging: PagingContext; readonly nested?: NestedContext };
}

const PHYSICAL_LIMIT = 1n << 52n;

function meaningless(address: bigint, reason: string): Translation {
  return {
    kind: "fault",
    fault: "none",
    code: 0n,
    address,
    reason,
    levels: [],
    culprit: undefined,
  };
}

function identity(address: bigint): Translation {
  if (address >= PHYSICAL_LIMIT) {
    return meaningless(address, "the address is beyond the physical address space");
  }
  return {
    kind: "page",
    physical: Number(address),
    guestPhysical: undefined,
    pageSize: PAGE_SIZE,
    nestedPageSize: undefined,
    rights: { write: true, user: true, execute: true },
    nestedRights: undefined,
    levels: [],
  };
}

/** Writes bytes of one page of host-physical memory; returns how many from the start could be written. */
export type PhysicalWrite = (address: number, bytes: Uint8Array) => number;

/** Reads and writes by address space; nothing it does is visible to the machine but a poke's bytes. */
export class DebugMemory {
  readonly #memory: MachineMemory;
  readonly #write: PhysicalWrite;
  readonly #translator: Translator;

  /** `write` is how a poke's bytes get to physical memory. */
  constructor(
    memory: MachineMemory,
    write: PhysicalWrite = (address, bytes) => memory.poke(address, bytes),
  ) {
    this.#memory = memory;
    this.#write = write;
    this.#translator = new Translator(memory);
  }

  /**
   * Without `access` only presence and reserved bits can fail; with it rights are checked as for
   * the CPU. A gpa or gva without a guest is taken as a fault.
   */
  translate(
    space: AddressSpace,
    address: bigint,
    worlds: Worlds,
    access?: TranslationAccess,
  ): Translation {
    if (space.kind === "hpa") return identity(address);
    if (space.kind === "hva") {
      return this.#translator.linear(address, rooted(worlds.host, space.root), undefined, access);
    }
    const guest = worlds.guest;
    if (guest === undefined) return meaningless(address, "there is no guest");
    if (space.kind === "gva") {
      const paging = rooted(guest.paging, space.root);
      return this.#translator.linear(address, paging, guest.nested, access);
    }
    if (guest.nested === undefined) return identity(address);
    const nested =
      space.root === undefined ? guest.nested : { ...guest.nested, nestedCr3: space.root };
    return this.#translator.guestPhysical(address, nested, access);
  }

  /**
   * Bytes from `address` up to the first that is not readable: unmapped, a hole, or a device that
   * cannot be read without side effects.
   */
  peek(space: AddressSpace, address: bigint, length: number, worlds: Worlds): Uint8Array {
    const out = new Uint8Array(length);
    const done = this.#eachPage(space, address, length, worlds, (physical, at, count) => {
      const bytes = this.#peekPage(physical, count);
      out.set(bytes, at);
      return bytes.length;
    });
    return out.subarray(0, done);
  }

  /** How many bytes from `address` on cannot be read, up to `length`; nothing changes within a page. */
  unreadable(space: AddressSpace, address: bigint, length: number, worlds: Worlds): number {
    for (let at = 0; at < length; ) {
      const linear = BigInt.asUintN(64, address + BigInt(at));
      const page = this.translate(space, linear, worlds);
      if (page.kind === "page" && this.#peekPage(page.physical, 1).length === 1) return at;
      at += PAGE_SIZE - Number(linear % BigInt(PAGE_SIZE));
    }
    return length;
  }

  /** How many bytes from `address` on poke() would write, up to `length`. */
  writable(space: AddressSpace, address: bigint, length: number, worlds: Worlds): number {
    return this.#eachPage(space, address, length, worlds, (physical, _, count) =>
      this.#memory.pointer(physical) < 0 ? 0 : count,
    );
  }

  /** Bytes of one page. */
  #peekPage(physical: number, count: number): Uint8Array {
    const device = this.#memory.deviceAt(physical);
    if (device === undefined) return this.#memory.peek(physical, count);
    if (device.peekMmio === undefined) return new Uint8Array(0);
    const out = new Uint8Array(count);
    let word = 0n;
    for (let at = 0; at < count; at++) {
      const address = physical + at;
      if (at === 0 || address % 4 === 0) word = device.peekMmio(address - (address % 4));
      out[at] = Number((word >> BigInt(8 * (address % 4))) & 0xffn);
    }
    return out;
  }

  /** Writes RAM whatever its protection; returns how many bytes were writable from the start. */
  poke(space: AddressSpace, address: bigint, bytes: Uint8Array, worlds: Worlds): number {
    return this.#eachPage(space, address, bytes.length, worlds, (physical, at, count) =>
      this.#write(physical, bytes.subarray(at, at + count)),
    );
  }

  #eachPage(
    space: AddressSpace,
    address: bigint,
    length: number,
    worlds: Worlds,
    use: (physical: number, at: number, count: number) => number,
  ): number {
    for (let at = 0; at < length; ) {
      const linear = BigInt.asUintN(64, address + BigInt(at));
      const count = Math.min(length - at, PAGE_SIZE - Number(linear % BigInt(PAGE_SIZE)));
      const page = this.translate(space, linear, worlds);
      if (page.kind === "fault") return at;
      const used = use(page.physical, at, count);
      at += used;
      if (used < count) return at;
    }
    return length;
  }
}

/** Another CR3 in the same mode; loaded PDPTEs belong to the CR3 that loaded them. */
function rooted(paging: PagingContext, root: bigint | undefined): PagingContext {
  if (root === undefined || root === paging.cr3) return paging;
  const { cr0, cr4, efer } = paging;
  return { cr0, cr3: root, cr4, efer };
}
