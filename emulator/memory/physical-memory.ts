/** The physical address space: RAM in linear memory, memory-mapped devices, ROM and holes. */

import type { Device } from "../devices/device.ts";
import type { ObserverEvents, Observers } from "../observers.ts";
import { PAGE_SIZE, PageReason, RAM_BASE, REASONS_BASE } from "../state/memory-map.ts";
import type { PhysicalAddress, PhysicalMemory } from "../vcpu.ts";

/** Reason bit of a RAM page that a device covers (as VGA text memory does): it is not RAM then. */
const COVERED = 0x80;

export type DeviceAccess = Omit<ObserverEvents["deviceMemory"], "guest">;

type Width = 1 | 2 | 4 | 8;

/** Fast tags that a page's reasons withhold, as a mask: 1 write tags, 2 read tags. */
function withheld(reasons: number): number {
  if (reasons === 0) return 0;
  return (reasons & (PageReason.watchRead | COVERED)) !== 0 ? 3 : 1;
}

/** Largest naturally sized device access that starts at `address` and fits in `left` bytes. */
function piece(left: number): Width {
  return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/** All ones where nothing answers. */
function readDevice(device: Device | undefined, address: number, size: number): bigint {
  let value = 0n;
  for (let at = 0; at < size; ) {
    const width = piece(size - at);
    const ones = (1n << BigInt(width * 8)) - 1n;
    const part = device?.readMmio?.(address + at, width) ?? ones;
    value |= (part & ones) << BigInt(at * 8);
    at += width;
  }
  return value;
}

export class MachineMemory implements PhysicalMemory {
  readonly memory: WebAssembly.Memory;
  readonly ramBytes: number;
  /** Drops decoded code of these bytes (all in one page), before they are written. */
  onCodeWrite: (address: PhysicalAddress, bytes: number) => void = () => {};
  /** Before the first write to a page marked clean; the reason is gone by then. */
  onFirstWrite: (page: number) => void = () => {};
  /** After the CPU read or wrote a device's memory; fetches excepted. */
  onDeviceAccess: (access: DeviceAccess) => void = () => {};
  /** Told when a page's fast tags must go; -1 stands for all pages. One listener a vCPU. */
  readonly tagListeners: ((page: number) => void)[] = [];

  readonly #observers: Observers;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #devices = new Map<number, Device>();
  /** How often each page is watched, by reason. */
  readonly #watches = {
    [PageReason.watchWrite]: new Map<number, number>(),
    [PageReason.watchRead]: new Map<number, number>(),
  };
  #aliasFirst = 0;
  #aliasEnd = 0;
  #aliasTarget = 0;

  constructor(memory: WebAssembly.Memory, ramBytes: number, observers: Observers) {
    if (ramBytes % PAGE_SIZE !== 0) throw new Error(`RAM of ${ramBytes} bytes is not whole pages`);
    if (memory.buffer.byteLength < RAM_BASE + ramBytes) throw new Error("linear memory too small");
    this.memory = memory;
    this.ramBytes = ramBytes;
    this.#observers = observers;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
  }

  pointer(address: PhysicalAddress): number {
    const ram = this.canonical(address);
    if (
      ram >= this.ramBytes ||
      ((this.#bytes[REASONS_BASE + (ram >>> 12)] as number) & COVERED) !== 0
    )
      return -1;
    return RAM_BASE + ram;
  }

  /** The RAM address for which an alias stands; any other address as it is. */
  canonical(address: PhysicalAddress): PhysicalAddress {
    if (address < this.#aliasFirst || address >= this.#aliasEnd) return address;
    return address - this.#aliasFirst + this.#aliasTarget;
  }

  /** Makes [first, first + bytes) show the RAM (made ROM) at `target`: firmware below 4 GiB. */
  setRomAlias(first: PhysicalAddress, bytes: number, target: PhysicalAddress): void {
    this.#aliasFirst = first;
    this.#aliasEnd = first + bytes;
    this.#aliasTarget = target;
    for (let at = 0; at < bytes; at += PAGE_SIZE) this.addReason(target + at, PageReason.rom);
  }

  read(address: PhysicalAddress, size: number): bigint {
    if ((address % PAGE_SIZE) + size > PAGE_SIZE) return this.#readSplit(address, size);
    const pointer = this.pointer(address);
    if (pointer < 0) return this.#readDevice(address, size);
    if ((this.reasons(address) & PageReason.watchRead) !== 0) this.#tellRead(address, size);
    return this.#load(pointer, size);
  }

  fetch(address: PhysicalAddress, count: number): Uint8Array {
    const pointer = this.pointer(address);
    if (pointer >= 0) return this.#bytes.subarray(pointer, pointer + count);
    const device = this.#devices.get(Math.floor(address / PAGE_SIZE));
    return Uint8Array.from({ length: count }, (_, i) => Number(readDevice(device, address + i, 1)));
  }

  write(address: PhysicalAddress, size: number, value: bigint, worldSwitch = false): void {
    if ((address % PAGE_SIZE) + size > PAGE_SIZE) {
      const first = PAGE_SIZE - (address % PAGE_SIZE);
      this.write(address, first, BigInt.asUintN(first * 8, value), worldSwitch);
      this.write(address + first, size - first, value >> BigInt(first * 8), worldSwitch);
      return;
    }
    const pointer = this.pointer(address);
    if (pointer < 0) this.#writeDevice(address, size, value);
    else this.#writeRam(address, pointer, size, value, worldSwitch);
  }

  /** Copies bytes of one page to linear memory at `to`, as one read of the CPU. */
  copyOut(address: PhysicalAddress, size: number, to: number): void {
    const pointer = this.pointer(address);
    if (pointer < 0) {
      for (let at = 0; at < size; ) {
        const width = piece(size - at);
        this.#store(to + at, width, this.#readDevice(address + at, width));
        at += width;
      }
      return;
    }
    if ((this.reasons(address) & PageReason.watchRead) !== 0) this.#tellRead(address, size);
    this.#copy(pointer, to, size);
  }

  /** Of the few bytes of an access: to call copyWithin for them takes longer. */
  #copy(from: number, to: number, size: number): void {
    const bytes = this.#bytes;
    for (let i = 0; i < size; i++) bytes[to + i] = bytes[from + i] as number;
  }

  /** Copies bytes from linear memory at `from` into one page, as one write of the CPU. */
  copyIn(address: PhysicalAddress, size: number, from: number): void {
    const pointer = this.pointer(address);
    if (pointer < 0) {
      for (let at = 0; at < size; ) {
        const width = piece(size - at);
        this.#writeDevice(address + at, width, this.#load(from + at, width));
        at += width;
      }
    } else if (this.admitWrite(address, size)) {
      this.#copy(from, pointer, size);
    } else {
      this.#writeRam(address, pointer, size, this.#load(from, size), false);
    }
  }

  /**
   * Clears the way for a direct write of RAM bytes in one page: drops code, notes a first write.
   * False if the write must go through write() or copyIn() instead (device, ROM or watched page).
   */
  admitWrite(address: PhysicalAddress, size: number): boolean {
    if (this.pointer(address) < 0) return false;
    const reasons = this.reasons(address);
    if (reasons === 0) return true;
    if ((reasons & (PageReason.watchWrite | PageReason.rom)) !== 0) return false;
    this.#beforeWrite(this.canonical(address), size, reasons);
    return true;
  }

  /** Tells watchers of a direct read of RAM bytes in one page. */
  noteRead(address: PhysicalAddress, size: number): void {
    if ((this.reasons(address) & PageReason.watchRead) !== 0) this.#tellRead(address, size);
  }

  readEntry(address: PhysicalAddress, bytes: 4 | 8): bigint {
    const low = BigInt(this.entryLow(address) >>> 0);
    return bytes === 4 ? low : low | (BigInt(this.entryHigh(address) >>> 0) << 32n);
  }

  entryLow(address: PhysicalAddress): number {
    const pointer = this.pointer(address);
    return pointer < 0 ? -1 : (this.#words[pointer / 4] as number);
  }

  entryHigh(address: PhysicalAddress): number {
    const pointer = this.pointer(address);
    return pointer < 0 ? -1 : (this.#words[pointer / 4 + 1] as number);
  }

  setEntryBits(address: PhysicalAddress, bits: number): void {
    const pointer = this.pointer(address);
    if (pointer < 0) return;
    if (this.admitWrite(address, 4)) {
      this.#words[pointer / 4] = (this.#words[pointer / 4] as number) | bits;
    } else {
      this.write(address, 4, BigInt((this.entryLow(address) | bits) >>> 0));
    }
  }

  peek(address: PhysicalAddress, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const pointer = this.pointer(address + at);
      if (pointer < 0) return out.slice(0, at);
      const count = Math.min(length - at, PAGE_SIZE - ((address + at) % PAGE_SIZE));
      out.set(this.#bytes.subarray(pointer, pointer + count), at);
      at += count;
    }
    return out;
  }

  poke(address: PhysicalAddress, bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; ) {
      const pointer = this.pointer(address + at);
      if (pointer < 0) return at;
      const count = Math.min(bytes.length - at, PAGE_SIZE - ((address + at) % PAGE_SIZE));
      this.#beforeWrite(this.canonical(address + at), count, this.reasons(address + at));
      this.#bytes.set(bytes.subarray(at, at + count), pointer);
      this.#tellPoke(address + at, count);
      at += count;
    }
    return bytes.length;
  }

  reasons(address: PhysicalAddress): number {
    const ram = this.canonical(address);
    return ram < this.ramBytes ? (this.#bytes[REASONS_BASE + (ram >>> 12)] as number) : 0;
  }

  addReason(address: PhysicalAddress, reason: number): void {
    const ram = this.canonical(address);
    if (ram >= this.ramBytes) return;
    const page = ram >>> 12;
    const before = this.#bytes[REASONS_BASE + page] as number;
    this.#bytes[REASONS_BASE + page] = before | reason;
    if ((withheld(before | reason) & ~withheld(before)) !== 0) this.#dropTags(page);
  }

  /** addReason for all of RAM: a snapshot marks every page clean. */
  addReasonToAll(reason: number): void {
    const end = REASONS_BASE + this.ramBytes / PAGE_SIZE;
    for (let at = REASONS_BASE; at < end; at++) {
      this.#bytes[at] = (this.#bytes[at] as number) | reason;
    }
    this.#dropTags(-1);
  }

  removeReason(address: PhysicalAddress, reason: number): void {
    const ram = this.canonical(address);
    if (ram >= this.ramBytes) return;
    const at = REASONS_BASE + (ram >>> 12);
    this.#bytes[at] = (this.#bytes[at] as number) & ~reason;
  }

  /**
   * Makes writes to the page events (physicalWrite, poke) until the returned function is called.
   * Several may watch one page; each is told of all writes to it.
   */
  watchWrites(address: PhysicalAddress): () => void {
    return this.#watch(address, PageReason.watchWrite);
  }

  /** Makes reads of the page events (physicalRead), table walks and fetches excepted. */
  watchReads(address: PhysicalAddress): () => void {
    return this.#watch(address, PageReason.watchRead);
  }

  #watch(
    address: PhysicalAddress,
    reason: typeof PageReason.watchWrite | typeof PageReason.watchRead,
  ): () => void {
    const watches = this.#watches[reason];
    const page = Math.floor(this.canonical(address) / PAGE_SIZE);
    watches.set(page, (watches.get(page) ?? 0) + 1);
    this.addReason(address, reason);
    let watching = true;
    return () => {
      if (!watching) return;
      watching = false;
      const left = (watches.get(page) ?? 1) - 1;
      if (left > 0) watches.set(page, left);
      else {
        watches.delete(page);
        this.removeReason(address, reason);
      }
    };
  }

  attachMmio(device: Device, first: PhysicalAddress, bytes: number): void {
    if (first % PAGE_SIZE !== 0) throw new Error(`${device.name}: MMIO is not page-aligned`);
    for (let at = first; at < first + bytes; at += PAGE_SIZE) {
      const page = at / PAGE_SIZE;
      const other = this.#devices.get(page);
      if (other !== undefined) throw new Error(`${device.name} and ${other.name} overlap`);
      this.#devices.set(page, device);
      this.addReason(at, COVERED);
    }
  }

  /** The device that an access to this address reaches; undefined for RAM and for nothing. */
  deviceAt(address: PhysicalAddress): Device | undefined {
    if (this.pointer(address) >= 0) return undefined;
    return this.#devices.get(Math.floor(address / PAGE_SIZE));
  }

  #dropTags(page: number): void {
    for (const listener of this.tagListeners) listener(page);
  }

  #beforeWrite(address: number, size: number, reasons: number): void {
    if ((reasons & PageReason.clean) !== 0) {
      this.removeReason(address, PageReason.clean);
      this.onFirstWrite(address >>> 12);
      this.#observers.emit("firstWrite", { page: address >>> 12 });
    }
    if ((reasons & PageReason.code) !== 0) this.onCodeWrite(address, size);
  }

  #writeRam(
    address: number,
    pointer: number,
    size: number,
    value: bigint,
    worldSwitch: boolean,
  ): void {
    const reasons = this.reasons(address);
    if (reasons === 0) {
      this.#store(pointer, size, value);
      return;
    }
    if ((reasons & PageReason.rom) !== 0) return;
    const ram = this.canonical(address);
    this.#beforeWrite(ram, size, reasons);
    const watched = (reasons & PageReason.watchWrite) !== 0;
    const before = watched ? this.#load(pointer, size) : 0n;
    this.#store(pointer, size, value);
    if (!watched) return;
    const after = this.#load(pointer, size);
    const event = { address: ram, size, before, after, worldSwitch };
    this.#observers.emit("physicalWrite", event);
  }

  #tellPoke(address: number, size: number): void {
    if ((this.reasons(address) & PageReason.watchWrite) === 0) return;
    this.#observers.emit("poke", { address: this.canonical(address), size });
  }

  #tellRead(address: number, size: number): void {
    this.#observers.emit("physicalRead", { address: this.canonical(address), size });
  }

  #readSplit(address: number, size: number): bigint {
    const first = PAGE_SIZE - (address % PAGE_SIZE);
    const low = this.read(address, first);
    return low | (this.read(address + first, size - first) << BigInt(first * 8));
  }

  #readDevice(address: number, size: number): bigint {
    const device = this.#devices.get(Math.floor(address / PAGE_SIZE));
    const value = readDevice(device, address, size);
    if (device !== undefined) {
      this.onDeviceAccess({ device: device.name, address, size, write: false, value });
    }
    return value;
  }

  #writeDevice(address: number, size: number, value: bigint): void {
    const device = this.#devices.get(Math.floor(address / PAGE_SIZE));
    if (device === undefined) return;
    for (let at = 0; at < size; ) {
      const width = piece(size - at);
      device.writeMmio?.(address + at, width, BigInt.asUintN(width * 8, value >> BigInt(at * 8)));
      at += width;
    }
    const written = BigInt.asUintN(size * 8, value);
    this.onDeviceAccess({ device: device.name, address, size, write: true, value: written });
  }

  #load(at: number, size: number): bigint {
    switch (size) {
      case 1:
        return BigInt(this.#view.getUint8(at));
      case 2:
        return BigInt(this.#view.getUint16(at, true));
      case 4:
        return BigInt(this.#view.getUint32(at, true));
      case 8:
        return this.#view.getBigUint64(at, true);
    }
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#view.getUint8(at + i));
    return value;
  }

  #store(at: number, size: number, value: bigint): void {
    const view = this.#view;
    if (size === 8) view.setBigUint64(at, value, true);
    else if (size === 4) view.setUint32(at, Number(value & 0xffff_ffffn), true);
    else if (size === 2) view.setUint16(at, Number(value & 0xffffn), true);
    else {
      for (let i = 0; i < size; i++)
        view.setUint8(at + i, Number((value >> BigInt(i * 8)) & 0xffn));
    }
  }
}
