// Every row with an intercept, in a guest: with its bit it exits with its code and nRIP, without it does
// not, and against competing faults the row's order decides (APM volume 2, section 15.7).
import { describe, expect, test } from "vitest";
import type { ParsedRow } from "../../../emulator/decode/form.ts";
import type { Row } from "../../../emulator/instructions/row.ts";
import { EXCEPTION_EXIT } from "../../../emulator/svm/exits.ts";
import { INTERCEPTS, type InterceptName } from "../../../emulator/svm/intercepts.ts";
import { EXCEPTIONS } from "../../../emulator/system/exceptions.ts";
import { Random } from "../../harness/random.ts";
import { bytesOf, shapesOf } from "../decode/row-bytes.ts";
import { GUEST_CODE, GuestRig, VMCB } from "./guest-rig.ts";
import { WINDOW } from "./rig.ts";

const GP = EXCEPTION_EXIT + EXCEPTIONS.GP.vector;
const PF = EXCEPTION_EXIT + EXCEPTIONS.PF.vector;
const ALL_EXCEPTIONS = 0xffff_fffb;

/** The manual's order for each intercepted instruction, written down apart from the rows. */
const FIRST: ReadonlySet<string> = new Set(
  "CPUID IRET INT PUSHF POPF RSM PAUSE ICEBP VMMCALL".split(" "),
);

interface Case {
  readonly name: string;
  readonly row: Row;
  readonly intercept: InterceptName;
  readonly memory: boolean;
  readonly bytes: readonly number[];
}

const random = new Random(1507);
const { parsedRows } = new GuestRig().machine.cpu.engine.decoder;

function casesOf(parsed: ParsedRow): Case[] {
  const { row } = parsed;
  const { intercept } = row;
  if (intercept === undefined) return [];
  return shapesOf(parsed)
    .filter((shape) => shape.bits === 64 && shape.sizing === "none")
    .map((shape) => {
      const memory = shape.memory ? ", memory" : "";
      const name = `${row.mnemonic} ${row.encoding}${memory}`;
      return { name, row, intercept, memory: shape.memory, bytes: bytesOf(parsed, shape, random) };
    });
}

const CASES = parsedRows.flatMap(casesOf);

interface Conditions {
  readonly cpl?: 0 | 3;
  readonly intercepted: boolean;
  /** The memory operand is absent. */
  readonly absent?: boolean;
  readonly cr4?: bigint;
}

/** Runs the case as a guest's first instruction and gives the rig. */
function run({ bytes, intercept }: Case, conditions: Conditions): GuestRig {
  const rig = new GuestRig();
  rig.stopsAtException = false;
  rig.setGuest(conditions.cpl ?? 0);
  if (conditions.cr4 !== undefined) rig.vmcb.write("CR4", rig.state.cr4 | conditions.cr4);
  rig.vmcb.write("INTERCEPT_EXCEPTIONS", ALL_EXCEPTIONS);
  const { word, bit } = INTERCEPTS[intercept];
  const field = word === "interceptMisc1" ? "INTERCEPT_MISC1" : "INTERCEPT_MISC2";
  if (conditions.intercepted) rig.vmcb.write(field, (rig.vmcb.read(field) | (1 << bit)) >>> 0);
  rig.machine.memory.poke(GUEST_CODE, Uint8Array.from(bytes));
  const page = rig.map(0, 0x2_0000);
  if (conditions.absent) rig.unmap(0);
  Object.assign(rig.state, { rsi: page, rcx: 0n });
  // VMRUN itself would exit were rAX bad in the guest: it is a page.
  rig.vmcb.write("RAX", BigInt(VMCB));
  rig.enter(1);
  return rig;
}

const exitCode = (rig: GuestRig): number | undefined =>
  rig.inGuest || rig.state.exitCount === 0 ? undefined : Number(rig.vmcb.read("EXITCODE"));

test("the rows' orders are the manual's", () => {
  const first = CASES.filter(({ row }) => row.interceptOrder === "interceptFirst");
  expect(new Set(first.map(({ row }) => row.mnemonic))).toEqual(FIRST);
  expect(CASES.length).toBeGreaterThan(25);
});

describe.each(CASES.map((c) => [c.name, c] as const))("%s", (_, c) => {
  const code = INTERCEPTS[c.intercept].exitCode;

  test("exits with its bit, before it did anything", () => {
    const rig = run(c, { intercepted: true });
    expect(exitCode(rig)).toBe(code);
    expect(rig.vmcb.read("RIP")).toBe(BigInt(GUEST_CODE));
    expect(rig.vmcb.read("nRIP")).toBe(BigInt(GUEST_CODE + c.bytes.length));
    expect(rig.vmcb.read("EXITINTINFO")).toBe(0n);
    expect(rig.exceptions).toEqual([]);
  });

  test("does not exit that way without it", () => {
    // The APM makes VMRUN's bit compulsory.
    if (c.intercept === "VMRUN") return;
    expect(exitCode(run(c, { intercepted: false }))).not.toBe(code);
  });

  test("at CPL 3", () => {
    const rig = run(c, { cpl: 3, intercepted: true });
    // CR4.PCE is 0.
    const faults = c.row.cpl0 === true || c.row.mnemonic === "RDPMC";
    expect(exitCode(rig)).toBe(faults ? GP : code);
  });

  test("with CR4.TSD at CPL 3", () => {
    const rig = run(c, { cpl: 3, intercepted: true, cr4: 4n });
    const faults = c.row.cpl0 === true || ["RDTSC", "RDTSCP", "RDPMC"].includes(c.row.mnemonic);
    expect(exitCode(rig)).toBe(faults ? GP : code);
  });

  test("with an absent memory operand", () => {
    const rig = run(c, { intercepted: true, absent: true });
    const last = c.row.interceptOrder === "afterMemory" && c.memory;
    expect(exitCode(rig)).toBe(last ? PF : code);
    if (last) expect(rig.vmcb.read("EXITINFO2")).toBe(WINDOW);
  });
});
