// Every row in every shape, on memory that works and on memory that faults in several ways: both tiers
// end in the same state, and an instruction that faults has changed nothing.
import { describe, expect, test } from "vitest";
import type { Tier } from "../../../emulator/engine.ts";
import type { Snapshot } from "../../../emulator/machine.ts";
import { TLB_STATE_BYTES } from "../../../emulator/memory/tlb.ts";
import { CPU_FIELDS, GENERAL_REGISTERS } from "../../../emulator/state/cpu-fields.ts";
import { getRflags, setRflags } from "../../../emulator/state/flags.ts";
import { DATA_TLB_OFFSET } from "../../../emulator/state/memory-map.ts";
import { Random } from "../../harness/random.ts";
import { bytesOf, type Shape, shapesOf } from "../decode/row-bytes.ts";
import { CODE, Rig, WINDOW } from "../machine/rig.ts";

const SEED = 7001;
const DATA = 0x2_0000;

/** How the memory that the address registers point to takes accesses. */
const MEMORY = {
  works: { first: 7n, second: 7n, offset: 0x800n },
  "works across pages": { first: 7n, second: 7n, offset: 0xffdn },
  absent: { first: 0n, second: 0n, offset: 0x800n },
  "read-only": { first: 5n, second: 5n, offset: 0x800n },
  "absent in its second page": { first: 7n, second: 0n, offset: 0xffdn },
  "read-only in its second page": { first: 7n, second: 5n, offset: 0xffdn },
} as const;
type MemoryKind = keyof typeof MEMORY;

/** Machine state as bytes. */
interface Image {
  readonly cpu: Uint8Array;
  readonly memory: Uint8Array;
  /** The machine's own bytes, which its next run changes: a copy would take most of the test's time. */
  readonly tlb: Uint8Array;
}

interface Outcome {
  readonly exception: string;
  readonly end: Image;
  /** Fields that changed although an exception came. */
  readonly changed: readonly string[];
}

/** What the raising of an exception itself sets; nextRip and the like are derived. */
const SET_BY_EXCEPTIONS: ReadonlySet<string> = new Set(["cr2", "dr6"]);

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Names of the state fields that differ. */
function differences(a: Image, b: Image): string[] {
  const names = same(a.memory, b.memory) ? [] : ["memory"];
  if (same(a.cpu, b.cpu)) return names;
  for (const [name, { offset, type, kind }] of Object.entries(CPU_FIELDS)) {
    if (kind !== "state" || SET_BY_EXCEPTIONS.has(name)) continue;
    const end = offset + (WIDTHS[type] ?? 16);
    if (!same(a.cpu.subarray(offset, end), b.cpu.subarray(offset, end))) names.push(name);
  }
  return names;
}

const WIDTHS: Partial<Record<string, number>> = { u8: 1, u16: 2, u32: 4, u64: 8 };

/** A machine in long or protected mode that is put back after each instruction. */
class Bench {
  constructor(tier: Tier, bits: 32 | 64) {
    this.rig = new Rig(bits === 64 ? "long" : "protected32", tier);
    this.rig.machine.memory.poke(
      DATA,
      Uint8Array.from({ length: 0x3000 }, (_, i) => i * 7),
    );
    for (let i = 0; i < 3; i++) this.rig.map(i, DATA + i * 0x1000);
    this.base = this.rig.machine.snapshot();
    this.rig.machine.observe({
      name: "bench",
      on: {
        exception: () => {
          this.atException ??= this.image();
          return "stop";
        },
      },
    });
  }
  readonly rig: Rig;
  private readonly base: Snapshot;
  private atException: Image | undefined;

  private image(): Image {
    const { state, machine } = this.rig;
    // The lazy words are put in the form that their flags have by themselves.
    setRflags(state, getRflags(state));
    const bytes = new Uint8Array(machine.memory.memory.buffer);
    const at = (offset: number, length: number): Uint8Array =>
      bytes.subarray(state.base + offset, state.base + offset + length);
    return {
      cpu: at(0, CPU_FIELDS.deliveredEvent.offset).slice(),
      memory: machine.memory.peek(DATA, 0x3000),
      tlb: at(DATA_TLB_OFFSET, TLB_STATE_BYTES),
    };
  }

  run(bytes: readonly number[], values: readonly bigint[], kind: MemoryKind): Outcome {
    const { rig } = this;
    rig.machine.restore(this.base);
    this.setMemory(kind);
    rig.machine.memory.poke(CODE, Uint8Array.from(bytes));
    this.setRegisters(values, MEMORY[kind].offset);
    rig.exceptions.length = 0;
    this.atException = undefined;
    const before = this.image();
    rig.run(1);
    rig.state.nextRip = 0n;
    return {
      exception: rig.firstException,
      end: this.image(),
      changed: differences(before, this.atException ?? before),
    };
  }

  private setMemory(kind: MemoryKind): void {
    const { rig } = this;
    const { first, second } = MEMORY[kind];
    if (rig.mode === "long") {
      rig.map(0, DATA, first);
      rig.map(1, DATA + 0x1000, second);
    } else if (kind === "absent" || kind === "absent in its second page") {
      const limit = kind === "absent" ? DATA - 1 : DATA + 0xfff;
      for (const name of ["ds", "es", "ss"] as const) rig.setSegment(name, { limit });
    }
  }

  private setRegisters(values: readonly bigint[], offset: bigint): void {
    const { rig } = this;
    const long = rig.mode === "long";
    const address = (long ? WINDOW : BigInt(DATA)) + offset;
    GENERAL_REGISTERS.forEach((name, i) => {
      const pointer = ["rsi", "rdi", "rsp", "rbp", "rbx"].includes(name);
      const value = values[i] ?? 0n;
      const whole = long ? value : BigInt.asUintN(32, value);
      rig.state[name] = pointer ? address : whole;
    });
    rig.setFlags(values[16] ?? 0n);
  }
}

const text = (bytes: readonly number[]): string => Buffer.from(bytes).toString("hex");

/** The status flags and DF; TF and IF would add what belongs to other tests. */
const FLAGS = 0xcd5n;

describe.each([64, 32] as const)(`%i bits, seed ${SEED}`, (bits) => {
  const random = new Random(SEED + bits);
  const compiled = new Bench("compiled", bits);
  const evaluated = new Bench("evaluated", bits);
  const { parsedRows } = compiled.rig.machine.cpu.engine.decoder;
  const cases = parsedRows.flatMap((parsed) =>
    shapesOf(parsed)
      .filter((shape) => shape.bits === bits)
      .map((shape: Shape) => ({ parsed, bytes: bytesOf(parsed, shape, random) })),
  );

  test.each(Object.keys(MEMORY) as MemoryKind[])("memory that %s", (kind) => {
    const differing: string[] = [];
    const changing: string[] = [];
    let faults = 0;
    for (const { parsed, bytes } of cases) {
      const values = Array.from({ length: 16 }, () => random.value(8));
      values.push(random.u64() & FLAGS);
      const a = compiled.run(bytes, values, kind);
      const b = evaluated.run(bytes, values, kind);
      const { mnemonic, encoding } = parsed.row;
      const where = `${mnemonic} ${encoding}: ${text(bytes)} ${a.exception}`;
      const parts = differences(a.end, b.end);
      if (!same(a.end.tlb, b.end.tlb)) parts.push("TLB");
      if (a.exception !== b.exception) parts.push(`exception ${b.exception}`);
      if (parts.length > 0) differing.push(`${where}: ${parts}`);
      if (a.exception !== "") faults++;
      if (a.changed.length > 0) changing.push(`${where} changed ${a.changed}`);
      if (b.changed.length > 0) changing.push(`${where} (evaluated) changed ${b.changed}`);
    }
    expect(differing).toEqual([]);
    expect(changing).toEqual([]);
    if (!kind.startsWith("works") && bits === 64) expect(faults).toBeGreaterThan(100);
  });
});
