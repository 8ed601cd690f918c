// Snapshots, the state hash, and what watching and dividing a run leave unchanged.
import { describe, expect, test } from "vitest";
import { loadRom } from "../../../emulator/loader/rom.ts";
import { Machine } from "../../../emulator/machine.ts";
import { CPU_FIELDS, type FieldName } from "../../../emulator/state/cpu-fields.ts";
import { getRflags, setRflags } from "../../../emulator/state/flags.ts";
import { CODE, Rig } from "./rig.ts";

/** Fills memory, counts, writes to COM1 and the PIT, in a loop with page crossings. */
const PROGRAM =
  // loop: inc ebx; mov [rdi], rbx; add rdi, 1001h; and edi, 3fffffh; or edi, 100000h; in al, 61h;
  "ff c3 48 89 1f 48 81 c7 01 10 00 00 81 e7 ff ff 3f 00 81 cf 00 00 10 00 e4 61" +
  // rol rbx, 1 every time; mov dx, 3f8h; mov al, bl; out dx, al; jmp loop
  "48 d1 c3 66 ba f8 03 88 d8 ee eb da";

function working(): Rig {
  const rig = new Rig("long");
  rig.code(PROGRAM);
  rig.state.rdi = 0x10_0000n;
  return rig;
}

describe("snapshots", () => {
  test("restored, the machine is the same and goes on the same", () => {
    const rig = working();
    rig.run(1000);
    const snapshot = rig.machine.snapshot();
    const hash = rig.machine.stateHash();
    rig.run(3000);
    const later = rig.machine.stateHash();
    for (let i = 0; i < 3; i++) {
      rig.machine.restore(snapshot);
      expect(rig.machine.icount).toBe(1000);
      expect(rig.machine.stateHash()).toBe(hash);
      rig.run(3000);
      expect(rig.machine.stateHash()).toBe(later);
    }
  });

  test("between branches of history", () => {
    const rig = working();
    const root = rig.machine.snapshot();
    rig.run(500);
    const left = rig.machine.snapshot();
    const leftHash = rig.machine.stateHash();
    rig.machine.restore(root);
    rig.state.rbx = 0x1234n;
    rig.run(900);
    const right = rig.machine.snapshot();
    const rightHash = rig.machine.stateHash();
    for (const [to, hash] of [
      [left, leftHash],
      [right, rightHash],
      [left, leftHash],
    ] as const) {
      rig.machine.restore(to);
      expect(rig.machine.stateHash()).toBe(hash);
    }
  });

  test("a snapshot at every instruction changes nothing", () => {
    const plain = working();
    plain.run(400);
    const taken = working();
    for (let i = 0; i < 400; i++) {
      taken.run(1);
      const snapshot = taken.machine.snapshot();
      if (i % 7 === 0) taken.machine.restore(snapshot);
    }
    expect(taken.machine.stateHash()).toBe(plain.machine.stateHash());
  });
});

/** Another value for a field, as its type has it. */
function alter(rig: Rig, name: FieldName): void {
  const state = rig.state as unknown as Record<string, unknown>;
  const value = state[name];
  if (typeof value === "number") state[name] = value ^ 1;
  else if (typeof value === "bigint") state[name] = value ^ 0x20n;
  else if (value !== null && typeof value === "object") {
    const record = value as Record<string, unknown>;
    const key = "base" in record ? "base" : "significand";
    record[key] = (record[key] as bigint) ^ 1n;
  }
}

describe("state hash", () => {
  test("every field of the CPU counts", () => {
    const rig = working();
    const hash = rig.machine.stateHash();
    const lazy = ["flagResult", "flagCarries"];
    for (const [name, field] of Object.entries(CPU_FIELDS)) {
      if (field.kind !== "state" || lazy.includes(name)) continue;
      alter(rig, name as FieldName);
      expect(rig.machine.stateHash(), name).not.toBe(hash);
      alter(rig, name as FieldName);
      expect(rig.machine.stateHash(), name).toBe(hash);
    }
  });

  test("derived fields and the form of lazy flags do not", () => {
    const rig = working();
    rig.run(1);
    const hash = rig.machine.stateHash();
    setRflags(rig.state, getRflags(rig.state));
    rig.state.bounce0 = 5n;
    rig.state.nextRip = 77n;
    expect(rig.machine.stateHash()).toBe(hash);
    setRflags(rig.state, getRflags(rig.state) ^ 0x40n);
    expect(rig.machine.stateHash()).not.toBe(hash);
  });

  test("every byte of RAM counts, and its place", () => {
    const rig = working();
    const hash = rig.machine.stateHash();
    const seen = new Set([hash]);
    const places = [0x2_0000, 0x2_0001, 0x2_0004, 0x2_0008, 0x2_0fff, 0x2_1000, 0x3f_ffff];
    for (const at of places) {
      for (const value of [1n, 3n, 5n, 0x80n]) {
        const before = rig.read(at, 1);
        rig.write(at, 1, value);
        seen.add(rig.machine.stateHash());
        rig.write(at, 1, before);
      }
      expect(rig.machine.stateHash()).toBe(hash);
    }
    expect(seen.size).toBe(1 + places.length * 4);
    // 5 at word 3 and 7 at word 1 of a page.
    rig.write(0x3_000c, 4, 5n);
    const one = rig.machine.stateHash();
    rig.write(0x3_000c, 4, 0n);
    rig.write(0x3_0004, 4, 7n);
    expect(rig.machine.stateHash()).not.toBe(one);
  });

  test("a device's register and time count", () => {
    const rig = working();
    const hash = rig.machine.stateHash();
    rig.machine.ports.write(0x3ff, 1, 0x5a);
    expect(rig.machine.stateHash()).not.toBe(hash);
    const other = working();
    other.code("90");
    const before = other.machine.stateHash();
    other.run(1);
    other.state.rip = BigInt(CODE);
    expect(other.machine.stateHash()).not.toBe(before);
  });
});

describe("a run's divisions and observers change nothing", () => {
  const expected = working();
  expect(expected.run(5000)).toEqual({ reason: "budget" });
  const hash = expected.machine.stateHash();

  test.each([1, 2, 3, 17, 999])("in pieces of %d", (size) => {
    const rig = working();
    while (rig.machine.icount < 5000) {
      const result = rig.run(Math.min(size, 5000 - rig.machine.icount));
      expect(result).toEqual({ reason: "budget" });
    }
    expect(rig.machine.stateHash()).toBe(hash);
  });

  test("with a retire observer, which is told of every instruction", () => {
    const rig = working();
    const rips: bigint[] = [];
    const detach = rig.machine.observe({
      name: "trace",
      on: {
        retire: ({ rip }) => {
          rips.push(rip);
          return undefined;
        },
      },
    });
    rig.run(2000);
    detach();
    rig.run(3000);
    expect(rips).toHaveLength(2000);
    expect(rips.slice(0, 3)).toEqual([0, 2, 5].map((offset) => BigInt(CODE + offset)));
    expect(rig.machine.stateHash()).toBe(hash);
  });

  test("a retire observer stops behind its instruction; one that faults does not retire", () => {
    const rig = new Rig("long");
    rig.code("90 ff c0 0f 0b");
    const rips: bigint[] = [];
    rig.machine.observe({
      name: "stopper",
      on: {
        retire: ({ rip }) => {
          rips.push(rip);
          return rip === BigInt(CODE + 1) ? "stop" : undefined;
        },
      },
    });
    expect(rig.run(10)).toEqual({ reason: "observer", observer: "stopper" });
    expect(rig.state).toMatchObject({ rip: BigInt(CODE + 3), rax: 1n });
    rig.run(10);
    expect(rips).toEqual([BigInt(CODE), BigInt(CODE + 1)]);
  });

  test("until: asked after every instruction", () => {
    const rig = working();
    const result = rig.machine.run({
      instructions: 5000,
      until: () => rig.state.rbx > 100n,
    });
    expect(result).toEqual({ reason: "observer", observer: "until" });
    expect(rig.state.rbx).toBeGreaterThan(100n);
    const rest = 5000 - rig.machine.icount;
    expect(rest).toBeGreaterThan(0);
    rig.run(rest);
    expect(rig.machine.stateHash()).toBe(hash);
    const held = rig.machine.run({ instructions: 10, until: () => true });
    expect(held).toEqual({ reason: "observer", observer: "until" });
    expect(rig.machine.icount).toBe(5001);
  });
});

describe("ROM images", () => {
  test.each([64, 128, 256, 1024])(
    "%d KiB: starts at the reset vector, all of it readable",
    (kib) => {
      const bytes = new Uint8Array(kib * 1024).fill(0xf4);
      const put = (at: number, code: readonly number[]): void => bytes.set(code, at);
      const { length } = bytes;
      // Reset vector: jmp far f000:e000; there: mov al, 1; hlt
      put(length - 16, [0xea, 0x00, 0xe0, 0x00, 0xf0]);
      put(length - 0x2000, [0xb0, 0x01, 0xf4]);
      bytes[0] = 0x77;
      const machine = new Machine({ ramBytes: 0x20_0000 });
      machine.load(loadRom({ name: "rom", bytes }));
      expect(machine.run({ instructions: 10, idleTicks: 0 }).reason).toBe("idle");
      expect(machine.state.rax & 0xffn).toBe(1n);
      expect(machine.memory.read(2 ** 32 - length, 1)).toBe(0x77n);
      expect(machine.memory.read(2 ** 32 - 16, 1)).toBe(0xean);
      // Read-only at both addresses.
      machine.memory.write(2 ** 32 - length, 1, 0n);
      machine.memory.write(0xf_fff0, 1, 0n);
      expect(machine.memory.read(2 ** 32 - length, 1)).toBe(0x77n);
      expect(machine.memory.read(0xf_fff0, 1)).toBe(0xean);
    },
  );
});
