// Between instructions: single-step traps, interrupt shadows, NMI, interrupts, HLT and alarms.
import { describe, expect, test } from "vitest";
import { CODE, HANDLERS, Rig, STACK } from "./rig.ts";

const TIERS = ["compiled", "evaluated"] as const;
const TF = 0x100n;
const IF = 0x200n;

/** Where each exception of a run came: "name@offset from CODE". */
function trace(rig: Rig, instructions: number): string[] {
  const seen: string[] = [];
  rig.stopsAtException = false;
  rig.machine.observe({
    name: "trace",
    on: {
      exception: ({ name, vector }) => {
        const at = Number(rig.state.rip) - CODE;
        seen.push(`${name ?? vector}@${at}`);
        return undefined;
      },
    },
  });
  rig.run(instructions);
  return seen;
}

/** A machine whose #DB handler returns at once (IRETQ). */
function stepping(code: string, tier: (typeof TIERS)[number]): Rig {
  const rig = new Rig("long", tier);
  rig.write(HANDLERS + 1, 2, 0xcf48n);
  rig.code(code);
  return rig;
}

describe.each(TIERS)("single step, %s", (tier) => {
  test("a trap after each instruction that began with TF, with DR6.BS", () => {
    const rig = stepping("90 90 90 f4", tier);
    rig.setFlags(TF);
    expect(trace(rig, 6)).toEqual(["DB@1", "DB@2", "DB@3"]);
    expect(rig.state.dr6 & 0x4000n).toBe(0x4000n);
  });

  test("POPF that sets TF is not trapped, the next one is; POPF that clears it is trapped", () => {
    // push 102; popf; nop; push 2; popf; nop; hlt
    const rig = stepping("68 02 01 00 00 9d 90 6a 02 9d 90 f4", tier);
    expect(trace(rig, 12)).toEqual(["DB@7", "DB@9", "DB@10"]);
  });

  test("IRET that sets TF: the first trap is after the instruction that it returned to", () => {
    const rig = stepping("48 cf", tier);
    rig.code("90 90 f4", CODE + 0x10);
    const frame = [BigInt(CODE + 0x10), 8n, TF | 2n, BigInt(STACK), 0x10n];
    rig.state.rsp = BigInt(STACK - 0x100);
    for (const [i, word] of frame.entries()) rig.write(STACK - 0x100 + i * 8, 8, word);
    expect(trace(rig, 3)).toEqual(["DB@17"]);
  });

  test("each iteration of REP is trapped", () => {
    const rig = stepping("f3 aa 90", tier);
    Object.assign(rig.state, { rcx: 2n, rdi: 0x2_0000n });
    rig.setFlags(TF);
    expect(trace(rig, 5)).toEqual(["DB@0", "DB@2"]);
  });

  test("INT n is not trapped: its handler begins with TF clear", () => {
    const rig = stepping("cd 40 90", tier);
    rig.write(HANDLERS + 0x40, 2, 0xcf48n);
    rig.setFlags(TF);
    expect(trace(rig, 4)).toEqual(["64@0", "DB@3"]);
  });

  test("an instruction that faults is not trapped", () => {
    const rig = stepping("0f 0b", tier);
    rig.setFlags(TF);
    expect(trace(rig, 1)).toEqual(["UD@0"]);
    expect(rig.state.dr6 & 0x4000n).toBe(0n);
  });

  test("MOV SS holds the trap off until after the next instruction", () => {
    const rig = stepping("8e d0 90 90", tier);
    rig.state.rax = 0x10n;
    rig.setFlags(TF);
    expect(trace(rig, 5)).toEqual(["DB@3", "DB@4"]);
  });

  test("SYSCALL looks at TF as SFMASK left it", () => {
    for (const sfmask of [0n, TF]) {
      const rig = stepping("0f 05", tier);
      rig.code("90 90", CODE + 0x20);
      Object.assign(rig.state, { lstar: BigInt(CODE + 0x20), star: 8n << 32n, sfmask });
      rig.setFlags(TF);
      expect(trace(rig, 2)).toEqual(sfmask === TF ? [] : ["DB@32"]);
    }
  });

  test("at the end of a budget the trap is still due, and comes before the next instruction", () => {
    const rig = stepping("90 90", tier);
    rig.setFlags(TF);
    rig.run(1);
    expect(rig.exceptions).toEqual([]);
    expect(rig.state).toMatchObject({ rip: BigInt(CODE + 1), trapDue: 1 });
    rig.run(1);
    expect(rig.lastException).toBe("DB");
  });
});

describe.each(TIERS)("interrupts, %s", (tier) => {
  /** The timer of the local APIC, once, after `ticks`, as vector 0x40. */
  function timer(rig: Rig, ticks: number): void {
    const { localApic } = rig.machine.platform.interrupts;
    const base = 0xfee0_0000;
    localApic.writeMmio(base + 0xf0, 4, 0x1ffn);
    localApic.writeMmio(base + 0x3e0, 4, 0xbn);
    localApic.writeMmio(base + 0x320, 4, 0x40n);
    localApic.writeMmio(base + 0x380, 4, BigInt(ticks));
  }

  test("an alarm comes at its exact tick, however the run is divided", () => {
    const at = (chunk: number): number => {
      const rig = new Rig("long", tier);
      rig.code("90".repeat(1000));
      rig.setFlags(IF);
      timer(rig, 20);
      for (let i = 0; i < 1000 && rig.exceptions.length === 0; i++) rig.run(chunk);
      expect(rig.lastException).toBe("INT 64");
      return rig.machine.icount;
    };
    const expected = at(1_000_000);
    expect(expected).toBeGreaterThan(0);
    for (const chunk of [1, 2, 3, 7, 100]) expect(at(chunk)).toBe(expected);
  });

  test("STI: taken after the next instruction; with IF already set there is no shadow", () => {
    const rig = new Rig("long", tier);
    rig.code("90 fb 90 90 90");
    timer(rig, 0);
    rig.machine.platform.interrupts.localApic.writeMmio(0xfee0_0300, 4, 0x4_0041n);
    rig.run(100);
    expect(rig.lastException).toBe("INT 65");
    expect(rig.machine.icount).toBe(3);
  });

  test("STI; CLI lets nothing in", () => {
    const rig = new Rig("long", tier);
    rig.code("fb fa 90 90");
    timer(rig, 0);
    rig.machine.platform.interrupts.localApic.writeMmio(0xfee0_0300, 4, 0x4_0041n);
    rig.run(4);
    expect(rig.exceptions).toEqual([]);
  });

  test("MOV SS holds an NMI off for one instruction; IRET lets the next in", () => {
    const rig = new Rig("long", tier);
    rig.code("8e d0 90 90 90 90");
    rig.write(HANDLERS + 2, 3, 0xcf4890n);
    rig.state.rax = 0x10n;
    rig.stopsAtException = false;
    rig.run(1);
    rig.state.nmiPending = 1;
    rig.run(1);
    expect(rig.exceptions).toEqual([]);
    rig.run(1);
    expect(rig.lastException).toBe("INT 2");
    expect(rig.state).toMatchObject({ nmiBlocked: 1, rip: BigInt(HANDLERS + 3) });
    rig.state.nmiPending = 1;
    rig.run(1);
    expect(rig.exceptions).toHaveLength(1);
    rig.run(1);
    expect(rig.exceptions).toHaveLength(2);
  });

  test("HLT waits for the alarm and not an instruction longer", () => {
    const rig = new Rig("long", tier);
    rig.code("f4 90");
    rig.setFlags(IF);
    timer(rig, 1000);
    const result = rig.machine.run({ instructions: 100 });
    expect(result).toMatchObject({ reason: "observer" });
    expect(rig.lastException).toBe("INT 64");
    expect(rig.machine.icount).toBe(1);
    expect(rig.machine.ticks).toBe(1000);
  });

  test("HLT with nothing that could end it: idle forever", () => {
    const rig = new Rig("long", tier);
    rig.code("f4");
    expect(rig.run(10)).toEqual({ reason: "idle", forever: true });
    const open = new Rig("long", tier);
    open.code("f4");
    open.setFlags(IF);
    timer(open, 5000);
    expect(open.run(10)).toEqual({ reason: "idle", forever: false });
    expect(open.machine.run({ instructions: 10 }).reason).toBe("observer");
  });

  test("the results of power-off, reset and debug exit are at their instruction", () => {
    const results = [
      ["b8 07 00 00 00 e6 f4", { reason: "debugExit", value: 7, status: 15 }],
      ["b0 06 66 ba f9 0c ee", { reason: "reset" }],
      ["b8 00 20 00 00 66 ba 04 06 66 ef", { reason: "powerOff" }],
    ] as const;
    for (const [code, expected] of results) {
      const rig = new Rig("long", tier);
      rig.code(`${code} 90 90`);
      expect(rig.run(100)).toMatchObject({ reason: expected.reason });
      expect(rig.state.rip).toBe(BigInt(CODE + code.split(" ").length));
    }
  });

  test("a triple fault: shutdown with the chain, and nothing runs any more", () => {
    const rig = new Rig("long", tier);
    rig.stopsAtException = false;
    rig.state.idtr.limit = 0;
    rig.code("0f 0b");
    const result = rig.run(10);
    expect(result.reason).toBe("shutdown");
    expect(result.reason === "shutdown" && result.faults.length).toBe(5);
    expect(rig.run(10).reason).toBe("shutdown");
    expect(rig.machine.icount).toBe(0);
  });
});
