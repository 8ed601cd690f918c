/** Random page tables of every format: loops, self-maps, reserved bits and holes. */
import type { MachineMemory } from "../../emulator/index.ts";

/** Tables lie in these pages; an entry may also name a page that is no RAM. */
export const FIRST_TABLE = 0x1_0000;
export const TABLES = 6;
const PAGE = 4096;

export interface Mode {
  readonly name: string;
  readonly levels: 2 | 3 | 4;
  readonly cr4: bigint;
  readonly efer: bigint;
}

export const PSE = 0x10n;
const PAE = 0x20n;
const LONG = 0x500n;
export const NXE = 0x800n;
export const MODES: readonly Mode[] = [
  { name: "32-bit", levels: 2, cr4: 0n, efer: 0n },
  { name: "32-bit with PSE", levels: 2, cr4: PSE, efer: 0n },
  { name: "PAE", levels: 3, cr4: PAE, efer: 0n },
  { name: "PAE with NXE", levels: 3, cr4: PAE, efer: NXE },
  { name: "4-level", levels: 4, cr4: PAE, efer: LONG },
  { name: "4-level with NXE", levels: 4, cr4: PAE, efer: LONG | NXE },
];

/** A few entries a table: most lead to tables and small pages, some have bits that must be zero. */
export function fill(memory: MachineMemory, mode: Mode, next: () => number): void {
  const bytes = mode.levels === 2 ? 4 : 8;
  for (let i = 0; i < TABLES; i++) {
    const page = FIRST_TABLE + i * PAGE;
    const data = new DataView(new ArrayBuffer(PAGE));
    for (let n = next() % 12; n >= 0; n--) {
      const target =
        next() % 8 === 0 ? next() % 0x1_0000_0000 : FIRST_TABLE + (next() % TABLES) * PAGE;
      let entry = BigInt(target - (target % PAGE)) | BigInt(next() % 256);
      if (mode.levels === 3 && next() % 2 === 0) entry &= ~0x1e6n;
      if (next() % 4 !== 0) entry |= 1n;
      if (next() % 16 === 0) entry ^= 1n << BigInt(next() % 64);
      const index = next() % 4 === 0 ? next() % 4 : next() % (PAGE / bytes);
      if (bytes === 4) data.setUint32(4 * index, Number(BigInt.asUintN(32, entry)), true);
      else data.setBigUint64(8 * index, entry, true);
    }
    memory.poke(page, new Uint8Array(data.buffer));
  }
}
