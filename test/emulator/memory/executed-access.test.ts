/**
 * The debugger's translation against executed accesses: MOV and JMP in every paging mode of both
 * stages over random tables; and both against the manual's definition (reference-walk.ts).
 */

import { describe, expect, it } from "vitest";
import {
  currentNested,
  currentPaging,
  DebugMemory,
  Machine,
  setRflags,
  type Translation,
} from "../../../emulator/index.ts";
import { RAM_BASE } from "../../../emulator/state/memory-map.ts";
import { type RandomFraction, randomFraction, testSeed } from "../../harness/random.ts";
import * as f from "./fixture.ts";
import { buildWorld, type Rules, randomLinear } from "./random-tables.ts";
import { type ReferenceAccess, type ReferenceResult, referenceWalk } from "./reference-walk.ts";

const RAM_BYTES = 4 * f.MIB;
/** Outside the tables: the code, and what #VMEXIT stores to. */
const CODE = 0x1000;
const VMCB = 0x2000;
const HSAVE = 0x3000;
const ALIGNMENT_CHECK = 1n << 18n;
const READ = [0x8a, 0x03];
const WRITE = [0x88, 0x03];
const JUMP = [0xff, 0xe3];
const MARK = 0x5a;
/** Random tables with which a mode is tried at the most; some map hardly anything. */
const MOST_WORLDS = 100;

/** What became of an access: the byte's place, or the fault or exit that it made. */
type Outcome =
  | { readonly kind: "page"; readonly physical: number }
  | {
      readonly kind: "fault";
      readonly fault: string;
      readonly code: bigint;
      readonly address: bigint;
    };

/** Reads as memory does; the A/D updates of the reference stay out of the machine's tables. */
function readOnly({ buffer, byteOffset, byteLength }: DataView): DataView {
  const view = new DataView(buffer, byteOffset, byteLength);
  view.setUint32 = () => {};
  return view;
}

class AccessRig {
  readonly machine: Machine;
  readonly ram: DataView;
  readonly debug: DebugMemory;
  private first: Outcome | undefined;

  constructor(tier: "compiled" | "evaluated") {
    this.machine = new Machine({ ramBytes: RAM_BYTES, tier });
    const { buffer } = this.machine.memory.memory;
    this.ram = new DataView(buffer, RAM_BASE, RAM_BYTES);
    this.debug = new DebugMemory(this.machine.memory);
    const { state } = this.machine;
    this.machine.observe({
      name: "outcome",
      on: {
        exception: ({ name, errorCode, address }) => {
          const code = BigInt(errorCode ?? 0);
          const fault = name ?? "interrupt";
          this.first ??= { kind: "fault", fault, code, address: fault === "PF" ? address : 0n };
          state.shutdown = 0;
          return "stop";
        },
        exit: ({ code, info1, info2 }) => {
          const fault = code === 0x400n ? "NPF" : `exit ${code}`;
          this.first ??= { kind: "fault", fault, code: info1, address: info2 };
          return "stop";
        },
      },
    });
  }

  build(rules: Rules, next: RandomFraction) {
    const { state } = this.machine;
    state.vmcbAddress = BigInt(VMCB);
    state.vmHsavePa = BigInt(HSAVE);
    const stage = buildWorld({ ram: this.ram, state }, rules, next);
    const paging = ["cr0", "cr3", "cr4", "efer", "pdpte0", "pdpte1", "pdpte2", "pdpte3"] as const;
    const registers = paging.map((name) => [name, state[name]] as const);
    const guest = rules.nested === undefined ? 0 : 1;
    /** What an access, a fault or an exit changed comes back. */
    const renew = () => {
      for (const [name, value] of registers) state[name] = value;
      state.guestMode = guest;
      state.nestedPaging = guest;
      state.asid = 1;
      state.shutdown = 0;
      state.halted = 0;
    };
    return { stage, renew, long: rules.own === "long" };
  }

  /** Executes the access at CPL 0 or 3; the code's own page is in the TLB, as a warm CPU has it. */
  execute(linear: bigint, access: ReferenceAccess, long: boolean): Outcome | undefined {
    const { machine } = this;
    const { state } = machine;
    const level = access.user ? 3 : 0;
    state.cpl = level;
    for (const name of ["cs", "ds", "ss", "es"] as const) {
      const segment = state[name];
      segment.base = 0n;
      segment.limit = 0xffff_ffff;
      segment.selector = 8 | level;
      const kind = name === "cs" ? 0x9b : 0x93;
      segment.attributes = kind | (level << 5) | 0x800 | (long && name === "cs" ? 0x200 : 0x400);
    }
    setRflags(state, 2n | (access.smap || access.user ? 0n : ALIGNMENT_CHECK));
    const code = access.fetch ? JUMP : access.write ? WRITE : READ;
    machine.memory.poke(CODE, Uint8Array.from(code));
    const { mmu } = machine.cpu;
    mmu.flushAll();
    machine.cpu.deriveMode();
    const asid = state.guestMode === 0 ? 0 : state.asid;
    const bank = state.guestMode * 2 + (level === 3 ? 1 : 0);
    const rights = 0x1 | 0x2 | (level === 3 ? 0x4 : 0);
    mmu.tlb.set(mmu.tlb.codeSlot(bank, CODE), CODE, 0, CODE >> 12, rights, asid, 12);
    machine.cpu.engine.windows.dropAll();
    state.rip = BigInt(CODE);
    state.rbx = linear;
    state.rax = BigInt(MARK);
    this.first = undefined;
    machine.run({ instructions: 1 });
    if (access.fetch && this.first === undefined) {
      state.rip = linear;
      machine.run({ instructions: 1 });
    }
    return this.outcome(linear, access, bank, asid);
  }

  /** A filled TLB entry shows where an access went, whatever the bytes there did next. */
  private outcome(
    linear: bigint,
    access: ReferenceAccess,
    bank: number,
    asid: number,
  ): Outcome | undefined {
    const { tlb } = this.machine.cpu.mmu;
    const page = linear & ~0xfffn;
    const kind = access.fetch ? "instruction" : "data";
    for (const entry of tlb.entries()) {
      if (entry.kind !== kind || entry.linear !== page) continue;
      if (entry.bank !== bank || entry.asid !== asid) continue;
      return { kind: "page", physical: entry.frame * 4096 + Number(linear & 0xfffn) };
    }
    // The bytes that were jumped to may be an instruction that flushes the TLB.
    if (this.first === undefined && !access.fetch) throw new Error("the access left no trace");
    return this.first;
  }
}

/** The translator's answer and the definition's, in the words of an executed access. */
function said(translation: Translation): Outcome {
  if (translation.kind === "page") return { kind: "page", physical: translation.physical };
  const { fault, code, address } = translation;
  return { kind: "fault", fault, code, address: fault === "GP" ? 0n : address };
}

function defined(result: ReferenceResult, linear: bigint): Outcome {
  if (result.kind === "done") return { kind: "page", physical: Number(result.physical) };
  if (result.kind === "nested") {
    return { kind: "fault", fault: "NPF", code: result.info1, address: result.info2 };
  }
  return { kind: "fault", fault: "PF", code: BigInt(result.code), address: linear };
}

function randomAccess(next: RandomFraction): ReferenceAccess {
  const kind = next();
  const user = next() < 0.5;
  const fetch = kind > 0.75;
  return { write: kind < 0.4, fetch, user, smap: !user && !fetch && next() < 0.4 };
}

function compare(rig: AccessRig, rules: Rules, accesses: number, counts: Map<string, number>) {
  const next = randomFraction(rules.seed);
  const world = rig.build(rules, next);
  const { machine, ram, debug } = rig;
  const { state } = machine;
  const view = readOnly(ram);
  const smapBit = 1n << 21n;
  const plainCr4 = state.cr4;
  for (let i = 0; i < accesses; i++) {
    world.renew();
    let linear = randomLinear(next, rules.own);
    // The last byte of a page would make the two bytes of code there cross it.
    if ((linear & 0xfffn) > 0xff0n) linear &= ~0xfn;
    if (linear >> 12n === BigInt(CODE >> 12)) continue;
    const access = randomAccess(next);
    state.cr4 = access.smap || next() < 0.2 ? plainCr4 | smapBit : plainCr4;
    const nested = currentNested(state);
    const paging = currentPaging(state);
    const guest = nested === undefined ? { paging } : { paging, nested };
    const told = said(debug.translate({ kind: "gva" }, linear, { host: paging, guest }, access));
    const reference = defined(referenceWalk(view, world.stage, linear, access), linear);
    const where = `seed ${rules.seed} #${i}, ${rules.own} over ${rules.nested}, ${JSON.stringify(access)} at ${linear.toString(16)}`;
    expect({ where, ...told }).toEqual({ where, ...reference });
    const done = rig.execute(linear, access, world.long);
    if (done === undefined) continue;
    expect({ where, ...done }).toEqual({ where, ...told });
    const key = told.kind === "page" ? "page" : told.fault;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
}

describe("an executed access ends as the debugger says", () => {
  const seed = testSeed(20_000);
  for (const tier of ["compiled", "evaluated"] as const) {
    const rig = new AccessRig(tier);
    for (const nested of [undefined, "legacy", "pae", "long"] as const) {
      for (const own of ["none", "legacy", "pae", "long"] as const) {
        const name = `${own} paging${nested === undefined ? "" : ` over ${nested} nested tables`}`;
        it(`${tier}: ${name} (seed ${seed})`, () => {
          const counts = new Map<string, number>();
          const isMissing = (outcome: string, few: number) => (counts.get(outcome) ?? 0) <= few;
          const wanting = () =>
            isMissing("page", 20) ||
            (own !== "none" && isMissing("PF", 5)) ||
            (nested !== undefined && isMissing("NPF", 3));
          const worlds = tier === "compiled" ? 8 : 3;
          // Not vacuous: on until each outcome was met that the mode can have.
          for (let i = 0; i < worlds || (wanting() && i < MOST_WORLDS); i++)
            compare(rig, { own, nested, seed: seed + i }, 100, counts);
          expect(wanting(), JSON.stringify([...counts])).toBe(false);
        });
      }
    }
  }
});
