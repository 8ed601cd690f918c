/** Random tables in every mode and both stages: the walker against the manual's definition. */

import { describe, expect, it } from "vitest";
import { CpuPaging } from "../../../emulator/memory/cpu-paging.ts";
import { Walk } from "../../../emulator/memory/page-walk.ts";
import { Access, Rights } from "../../../emulator/memory/paging-bits.ts";
import { randomFraction } from "../../harness/random.ts";
import * as f from "./fixture.ts";
import {
  buildWorld,
  NESTED_POOL,
  OWN_POOL,
  POOL_PAGES,
  type Rules,
  randomLinear,
} from "./random-tables.ts";
import { type ReferenceAccess, type ReferenceResult, referenceWalk } from "./reference-walk.ts";

/** What the walker says, in the reference's words. */
function actual(paging: CpuPaging, outcome: Walk): ReferenceResult {
  const { stage, nested } = paging;
  if (outcome === Walk.fault) return { kind: "fault", code: stage.faultCode };
  if (outcome !== Walk.done) {
    const which = outcome === Walk.tableFault ? 1n << 33n : 1n << 32n;
    const info2 = (BigInt(nested.inputHigh >>> 0) << 32n) | BigInt(nested.inputLow >>> 0);
    return { kind: "nested", info1: which | BigInt(nested.faultCode), info2 };
  }
  return {
    kind: "done",
    physical: BigInt(stage.physical),
    bits: stage.pageBits,
    write: (stage.rights & Rights.write) !== 0,
    user: (stage.rights & Rights.user) !== 0,
    execute: (stage.rights & Rights.execute) !== 0,
    global: (stage.rights & Rights.global) !== 0,
    dirty: (stage.rights & Rights.dirty) !== 0,
  };
}

function compareWorld(fixture: f.Fixture, rules: Rules, walks: number) {
  const next = randomFraction(rules.seed);
  const stage = buildWorld(fixture, rules, next);
  const copy = new DataView(new ArrayBuffer(fixture.ram.byteLength));
  const bytesOf = (v: DataView) =>
    new Uint8Array(
      v.buffer,
      v.byteOffset + NESTED_POOL,
      OWN_POOL + POOL_PAGES * 4096 - NESTED_POOL,
    );
  bytesOf(copy).set(bytesOf(fixture.ram));
  const paging = new CpuPaging(fixture.physical.memory, fixture.state, fixture.physical);
  const kinds = { done: 0, fault: 0, nested: 0 };
  for (let i = 0; i < walks; i++) {
    const linear = randomLinear(next, rules.own);
    const kind = next();
    const user = next() < 0.5;
    const access: ReferenceAccess = {
      write: kind < 0.4,
      fetch: kind > 0.8,
      user,
      smap: !user && kind <= 0.8 && next() < 0.2,
    };
    const bits =
      (access.write ? Access.write : 0) |
      (access.fetch ? Access.fetch : 0) |
      (access.user ? Access.user : 0) |
      (access.smap ? Access.smap : 0);
    const expected = referenceWalk(copy, stage, linear, access);
    const outcome = paging
      .prepare()
      .walk(Number(BigInt.asIntN(32, linear)), Number(BigInt.asIntN(32, linear >> 32n)), bits);
    const where = `seed ${rules.seed}, ${rules.own} over ${rules.nested}, linear ${linear.toString(16)}`;
    expect({ where, ...actual(paging, outcome) }).toEqual({ where, ...expected });
    if (Buffer.compare(bytesOf(copy), bytesOf(fixture.ram)) !== 0)
      throw new Error(`A/D bits: ${where}`);
    kinds[expected.kind]++;
  }
  return kinds;
}

describe("the page walker agrees with the manual's definition", () => {
  const fixture = f.makeFixture();
  for (const nested of [undefined, "legacy", "pae", "long"] as const) {
    for (const own of ["none", "legacy", "pae", "long"] as const) {
      it(`${own} paging${nested === undefined ? "" : ` over ${nested} nested tables`}`, () => {
        const total = { done: 0, fault: 0, nested: 0 };
        for (let seed = 1; seed <= 12; seed++) {
          const kinds = compareWorld(fixture, { own, nested, seed }, 150);
          for (const kind of ["done", "fault", "nested"] as const) total[kind] += kinds[kind];
        }
        // Not vacuous: each outcome that the mode can have was met.
        expect(total.done).toBeGreaterThan(100);
        if (own !== "none") expect(total.fault).toBeGreaterThan(50);
        if (nested !== undefined) expect(total.nested).toBeGreaterThan(30);
      });
    }
  }
});
