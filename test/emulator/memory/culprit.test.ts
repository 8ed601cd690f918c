/** The entry that a faulting translation names: mended, the walk gets farther or ends otherwise. */

import { describe, expect, it } from "vitest";
import { DebugMemory } from "../../../emulator/memory/address-space.ts";
import { currentNested, currentPaging } from "../../../emulator/memory/translate.ts";
import { randomFraction, testSeed } from "../../harness/random.ts";
import * as f from "./fixture.ts";
import { buildWorld, randomLinear } from "./random-tables.ts";

const seed = testSeed(60_000);
/** PDPTEs of legacy PAE may have address bits and P alone; other entries keep address and PS. */
const ADDRESS = 0xff_ffff_f000n;

/** Makes an entry present, without reserved bits, allowing everything. */
function mend(
  ram: DataView,
  level: { address: number; bytes: 4 | 8; value: bigint; level: number; leaf: boolean },
  pae: boolean,
) {
  const { address, bytes, value, leaf } = level;
  const pdpte = pae && level.level === 3;
  const size = bytes === 4 ? 22n : BigInt(3 + level.level * 9);
  let mended = (value & ADDRESS) | f.P | (pdpte ? 0n : f.W | f.U);
  if (leaf && level.level > 1) mended = (mended & ~((1n << size) - 1n)) | f.P | f.W | f.U | f.PS;
  if (bytes === 4) ram.setUint32(address, Number(mended & 0xffff_ffffn), true);
  else ram.setBigUint64(address, mended, true);
}

describe("the entry at fault", () => {
  const fixture = f.makeFixture();
  const { ram, state } = fixture;
  for (const nested of [undefined, "legacy", "pae", "long"] as const) {
    for (const own of ["legacy", "pae", "long"] as const) {
      it(`${own} paging over ${nested ?? "no"} nested tables (seed ${seed})`, () => {
        const next = randomFraction(seed);
        const debug = new DebugMemory(fixture.physical);
        let mendings = 0;
        for (let world = 0; world < 12; world++) {
          buildWorld(fixture, { own, nested, seed: seed + world }, next);
          const tables = currentNested(state);
          for (let i = 0; i < 40; i++) {
            const { pdptes: _, ...paging } = currentPaging(state);
            const guest = tables === undefined ? { paging } : { paging, nested: tables };
            const worlds = { host: paging, guest };
            const linear = randomLinear(next, own);
            const kind = next();
            const access = { write: kind < 0.4, fetch: kind > 0.8, user: next() < 0.5 };
            const ask = () => debug.translate({ kind: "gva" }, linear, worlds, access);
            const first = ask();
            if (first.kind !== "fault" || first.culprit === undefined) continue;
            const level = first.levels[first.culprit];
            const where = `seed ${seed} #${world}.${i} ${first.reason}`;
            if (level === undefined) throw new Error(where);
            expect(first.reason, where).toContain(
              `${level.entry} at hpa:0x${level.address.toString(16)}`,
            );
            expect(level.stage === "nested", where).toBe(first.fault === "NPF");
            // SMEP refuses what user entries allow: mending cannot help. Holes cannot be mended.
            if (first.reason.includes("SMEP") || level.address >= ram.byteLength) continue;
            mend(ram, level, (level.stage === "nested" ? nested : own) === "pae");
            const again = ask();
            mendings++;
            if (again.kind === "page") continue;
            const same = again.culprit === first.culprit && again.reason === first.reason;
            expect(same, `${where} then ${again.reason}`).toBe(false);
          }
        }
        expect(mendings).toBeGreaterThan(10);
      });
    }
  }
});
