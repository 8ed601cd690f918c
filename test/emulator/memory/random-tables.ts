/** Random worlds for tests of translation: tables of every mode, in one stage or two, with random bits. */

import type { CpuState } from "../../../emulator/state/cpu-state.ts";
import type { RandomFraction } from "../../harness/random.ts";
import * as f from "./fixture.ts";
import type { Mode, ReferenceStage } from "./reference-walk.ts";

/** Nested tables and guest tables are apart, so that the order of A/D updates does not matter. */
export const NESTED_POOL = 0x8_0000;
export const OWN_POOL = 0x10_0000;
export const POOL_PAGES = 16;
const LEVELS = { none: 0, legacy: 2, pae: 3, long: 4 } as const;

/** Pages of a pool are divided over the levels: page i holds tables of level i % levels + 1. */
function poolPage(next: RandomFraction, pool: number, levels: number, level: number): number {
  const count = Math.floor(POOL_PAGES / levels);
  return pool + (Math.floor(next() * count) * levels + level - 1) * 0x1000;
}

/** An address of an own table's page as a guest would write it: any place above 2 MiB. */
function scattered(next: RandomFraction, address: number, nested: boolean, wide: boolean): bigint {
  if (!nested) return BigInt(address);
  const high = wide ? Math.floor(next() * 2 ** 18) : Math.floor(next() * 2 ** 11);
  return BigInt(address) | (BigInt(high) << 21n);
}

function fillPool(
  ram: DataView,
  next: RandomFraction,
  mode: Exclude<Mode, "none">,
  pool: number,
  trust: number,
  target: (leaf: boolean, level: number) => bigint,
): void {
  const levels = LEVELS[mode];
  const bytes = mode === "legacy" ? 4 : 8;
  const flip = (chance: number): bigint => (next() < chance ? 1n : 0n);
  for (let page = 0; page < POOL_PAGES; page++) {
    const level = (page % levels) + 1;
    for (let i = 0; i < 4096 / bytes; i++) {
      const pdpte = mode === "pae" && level === 3;
      const large = level > 1 && !pdpte && level < 4 && next() < 0.15;
      let entry = target(level === 1 || large, level);
      if (large)
        entry &= mode === "legacy" ? 0xc0_0000n : level === 3 ? ~0x3fff_ffffn : ~0x1f_ffffn;
      if (large) entry |= f.PS | (mode === "legacy" && next() < 0.5 ? 0x6000n : 0n);
      entry |= flip(trust) | (flip(0.5) << 3n) | (flip(0.5) << 4n) | (flip(0.5) << 9n);
      if (!pdpte) {
        entry |= (flip(trust) << 1n) | (flip(trust) << 2n) | (flip(0.4) << 5n) | (flip(0.4) << 6n);
        if (level === 1 || large || level === 2) entry |= flip(0.3) << 8n;
        if (bytes === 8) entry |= flip((1 - trust) / 2) << 63n;
        if (mode === "long") entry |= flip(0.5) << 55n;
      }
      if (next() < (1 - trust) / 8) entry |= 1n << BigInt(Math.floor(next() * bytes * 8));
      if (bytes === 4)
        ram.setUint32(pool + page * 4096 + i * 4, Number(entry & 0xffff_ffffn), true);
      else ram.setBigUint64(pool + page * 4096 + i * 8, entry, true);
    }
  }
}

export interface Rules {
  readonly own: Mode;
  readonly nested: Exclude<Mode, "none"> | undefined;
  readonly seed: number;
}

function control(next: RandomFraction, mode: Mode): { cr0: bigint; cr4: bigint; efer: bigint } {
  const flip = (bits: bigint, chance = 0.5): bigint => (next() < chance ? bits : 0n);
  return {
    cr0: 1n | (mode === "none" ? 0n : f.CR0_PG) | flip(f.CR0_WP),
    cr4:
      (mode === "pae" || mode === "long" ? f.CR4_PAE : 0n) |
      flip(f.CR4_PSE, 0.7) |
      flip(f.CR4_PGE) |
      flip(f.CR4_SMEP, 0.3),
    efer: (mode === "long" ? f.EFER_LMA : 0n) | flip(f.EFER_NXE, 0.8),
  };
}

function stageOf(
  mode: Mode,
  root: bigint,
  c: { cr0: bigint; cr4: bigint; efer: bigint },
): ReferenceStage {
  return {
    mode,
    root,
    nxe: (c.efer & f.EFER_NXE) !== 0n,
    wp: (c.cr0 & f.CR0_WP) !== 0n,
    pse: (c.cr4 & f.CR4_PSE) !== 0n,
    pge: (c.cr4 & f.CR4_PGE) !== 0n,
    smep: (c.cr4 & f.CR4_SMEP) !== 0n,
  };
}

/** Sets up one random world and its description for the reference. */
export function buildWorld(
  { ram, state }: { readonly ram: DataView; readonly state: CpuState },
  rules: Rules,
  next: RandomFraction,
): ReferenceStage {
  const own = control(next, rules.own);
  const wide = rules.nested === "long";
  Object.assign(state, own);
  state.guestMode = rules.nested === undefined ? 0 : 1;
  state.nestedPaging = state.guestMode;
  state.asid = 1;
  if (rules.own !== "none") {
    const levels = LEVELS[rules.own];
    fillPool(ram, next, rules.own, OWN_POOL, 0.93, (leaf, level) =>
      leaf
        ? scattered(next, Math.floor(next() * 0x40_0000) & ~0xfff, rules.nested !== undefined, wide)
        : scattered(
            next,
            poolPage(next, OWN_POOL, levels, level - 1),
            rules.nested !== undefined,
            wide,
          ),
    );
  }
  const levels = LEVELS[rules.own] || 1;
  const root = scattered(next, poolPage(next, OWN_POOL, levels, levels), wide, false);
  state.cr3 = root;
  const pdptes = [0, 1, 2, 3].map((i) =>
    ram.getBigUint64(poolPage(next, OWN_POOL, levels, levels) + i * 8, true),
  );
  for (const i of [0, 1, 2, 3] as const) state[`pdpte${i}`] = pdptes[i] as bigint;
  const stage = { ...stageOf(rules.own, root, own) };
  if (rules.nested === undefined) return rules.own === "pae" ? { ...stage, pdptes } : stage;

  const host = control(next, rules.nested);
  state.hostCr0 = host.cr0;
  state.hostCr4 = host.cr4;
  state.hostEfer = host.efer;
  const nestedLevels = LEVELS[rules.nested];
  fillPool(ram, next, rules.nested, NESTED_POOL, 0.995, (leaf, level) =>
    BigInt(
      leaf ? poolPage(next, OWN_POOL, 1, 1) : poolPage(next, NESTED_POOL, nestedLevels, level - 1),
    ),
  );
  const nestedRoot = BigInt(poolPage(next, NESTED_POOL, nestedLevels, nestedLevels));
  state.nestedCr3 = nestedRoot;
  return { ...stage, nested: stageOf(rules.nested, nestedRoot, host) };
}

export function randomLinear(next: RandomFraction, mode: Mode): bigint {
  const low = BigInt(Math.floor(next() * 2 ** 32));
  if (mode !== "long") return low;
  return BigInt.asUintN(64, BigInt.asIntN(48, (BigInt(Math.floor(next() * 2 ** 16)) << 32n) | low));
}
