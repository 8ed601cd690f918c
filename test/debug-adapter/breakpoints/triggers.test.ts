/** Triggers on a machine that runs a few bytes: who did what, with which old and new values. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bind,
  type Hit,
  type OwnMode,
  type Place,
  type Trigger,
} from "../../../debug-adapter/breakpoints/breakpoint.ts";
import { dataTrigger } from "../../../debug-adapter/breakpoints/data.ts";
import { valuesOf } from "../../../debug-adapter/breakpoints/data-access.ts";
import { formatDataId, parseDataId } from "../../../debug-adapter/breakpoints/data-id.ts";
import { EventNames } from "../../../debug-adapter/breakpoints/event-names.ts";
import { EVENT_FORMS, parseEvent } from "../../../debug-adapter/breakpoints/events.ts";
import { LogOutput } from "../../../debug-adapter/breakpoints/log-output.ts";
import { BreakpointOptions } from "../../../debug-adapter/breakpoints/options.ts";
import { Placement } from "../../../debug-adapter/breakpoints/placement.ts";
import { Debuggee } from "../../../debug-adapter/debuggee.ts";
import { ImagePresence } from "../../../debug-adapter/images/image-presence.ts";
import { Images } from "../../../debug-adapter/images.ts";
import { readLaunchArguments } from "../../../debug-adapter/launch-arguments.ts";
import { frameNames } from "../../../debug-adapter/names.ts";
import { UserError } from "../../../debug-adapter/text.ts";
import type { ValuePlace } from "../../../debug-adapter/value-place.ts";
import { GENERAL_REGISTERS, Machine, VMCB_FIELDS, VmcbView } from "../../../emulator/index.ts";
import { fromBytes, toBytes } from "../../../symbols/location.ts";
import { testSeed } from "../../harness/random.ts";

const START = 0x10_0000;
const FLAT = { selector: 8, base: 0, limit: 0xffff_ffff };

/** A machine at `code` in flat 32-bit protected mode without paging. */
function debuggeeAt(...code: number[]): Debuggee {
  const machine = new Machine({ ramBytes: 4 << 20 });
  machine.load({
    kind: "multiboot",
    name: "bytes",
    writes: [{ address: START, bytes: Uint8Array.from(code), what: "code" }],
    entry: {
      mode: "protected",
      eip: START,
      registers: { esp: 0x8000 },
      cs: { ...FLAT, attributes: 0xc9b },
      data: { ...FLAT, selector: 16, attributes: 0xc93 },
      gdtr: { base: 0, limit: 0 },
    },
    firmware: false,
  });
  return new Debuggee(machine, new Images([]), readLaunchArguments({ kernel: "bytes" }));
}

/** Hits of the trigger while `count` instructions run, each a stop. */
function hitsOf(trigger: Trigger | undefined, debuggee: Debuggee, count: number): Hit[] {
  const hits: Hit[] = [];
  const release = trigger?.arm(debuggee, (hit) => {
    hits.push(hit);
    return "stop";
  });
  const { machine } = debuggee;
  for (let i = 0; i < count; i++) machine.run({ instructions: 1 });
  release?.();
  return hits;
}

test("device memory, in ranges and by direction", () => {
  // mov dword [0xfee00080], 0x20; mov eax, [0xfee00080]: the local APIC's TPR
  const code = [0xc7, 5, 0x80, 0, 0xe0, 0xfe, 0x20, 0, 0, 0, 0xa1, 0x80, 0, 0xe0, 0xfe];
  const run = (text: string) => hitsOf(parseEvent(text)?.found.trigger, debuggeeAt(...code), 2);
  const [write, read] = run("mmio:0xfee00000-0xfee00fff");
  expect(write?.fields).toMatchObject({ address: 0xfee0_0080, size: 4, write: true, guest: false });
  expect(read?.fields).toMatchObject({ write: false, value: 0x20n });
  expect(run("mmio:0xfee00083:w")).toHaveLength(1);
  expect(run("mmio:0xfee00084:rw")).toHaveLength(0);
  expect(run("guest:mmio:0xfee00080")).toHaveLength(0);
});

test("bytes of memory: exact, old and new, in physical and linear memory", () => {
  // mov word [0x2ffe], 0x1234; mov dword [0x2fff], 0xaabbccdd; mov al, [0x3000]
  const code = [
    ...[0x66, 0xc7, 5, 0xfe, 0x2f, 0, 0, 0x34, 0x12],
    ...[0xc7, 5, 0xff, 0x2f, 0, 0, 0xdd, 0xcc, 0xbb, 0xaa],
    ...[0xa0, 0, 0x30, 0, 0],
  ];
  const run = (dataId: string, type: "read" | "write" | "readWrite") =>
    hitsOf(dataTrigger(parseDataId(dataId), type), debuggeeAt(...code), 3).map(({ fields }) => [
      fields.old,
      fields.new,
      fields.write,
    ]);
  for (const space of ["hpa:", "hva@0x0:"]) {
    expect(run(`${space}0x2ffe,1`, "write")).toEqual([[0n, 0x34n, true]]);
    expect(run(`${space}0x2ffe,2`, "write")).toEqual([
      [0n, 0x1234n, true],
      [0x1234n, 0xdd34n, true],
    ]);
    expect(run(`${space}0x3000,1`, "readWrite")).toEqual([
      [0n, 0xccn, true],
      [0xccn, 0xccn, false],
    ]);
    expect(run(`${space}0x3000,1`, "read")).toEqual([[0xccn, 0xccn, false]]);
    expect(run(`${space}0x3002,1#4+4`, "write")).toEqual([[0n, 0xan, true]]);
    expect(run(`${space}0x3003,64`, "readWrite")).toEqual([]);
  }
});

test("one access is one hit: over a page's end, read and written back, in pieces", () => {
  // mov dword [0x2ffe], 0xaabbccdd; add dword [0x2ffe], 1; movups [0x4ff8], xmm0; inc byte [0x5000]
  const code = [
    ...[0xc7, 5, 0xfe, 0x2f, 0, 0, 0xdd, 0xcc, 0xbb, 0xaa],
    ...[0x83, 5, 0xfe, 0x2f, 0, 0, 1],
    ...[0x0f, 0x11, 5, 0xf8, 0x4f, 0, 0],
    ...[0xfe, 5, 0, 0x50, 0, 0],
  ];
  const run = (dataId: string, type: "write" | "readWrite", condition?: string) => {
    const debuggee = debuggeeAt(...code);
    debuggee.machine.state.cr4 |= 0x200n;
    const said: string[] = [];
    let hits = 0;
    let counted = 0;
    const options = new BreakpointOptions({ condition });
    const trigger = dataTrigger(parseDataId(dataId), type);
    const release = trigger.arm(
      debuggee,
      (hit) => {
        const names = () => new EventNames(hit.fields, () => frameNames(debuggee));
        if (options.reach(names).kind === "ignore") return undefined;
        last = hit;
        hits++;
        return "stop";
      },
      () => options.hits,
    );
    let last: Hit | undefined;
    for (let i = 0; i < 4; i++) {
      last = undefined;
      debuggee.machine.run({ instructions: 1 });
      if (last) said.push((last as Hit).description.replace(/^.*: /, ""));
    }
    counted = options.hits;
    release();
    expect(counted).toBe(hits);
    expect(hits).toBe(said.length);
    return said;
  };
  const [first, second] = ["0x0 -> 0xaabbccdd", "0xaabbccdd -> 0xaabbccde"];
  for (const space of ["hpa:", "hva@0x0:"]) {
    for (const type of ["write", "readWrite"] as const) {
      expect(run(`${space}0x2ffe,4`, type), space + type).toEqual([first, second]);
      expect(run(`${space}0x4ff8,16`, type)).toEqual(["0x0 -> 0x0", `0x0 -> 0x1${"0".repeat(16)}`]);
    }
    expect(run(`${space}0x2ffe,4`, "write", "new == 0xaabbccdd")).toEqual([first]);
    expect(run(`${space}0x2ffe,4`, "readWrite", "write && old == 0xaabbccdd")).toEqual([second]);
    expect(run(`${space}0x2f00,4096`, "write")).toEqual([first, second]);
  }
});

test("registers: each change by the instruction that made it", () => {
  // mov ebx, 5; mov ebx, 5; inc ebx; mov eax, cr0; mov cr0, eax; or al, 2; mov cr0, eax
  const code = [0xbb, 5, 0, 0, 0, 0xbb, 5, 0, 0, 0, 0x43, 0x0f, 0x20, 0xc0, 0x0f, 0x22, 0xc0];
  code.push(0x0c, 2, 0x0f, 0x22, 0xc0);
  const run = (dataId: string) =>
    hitsOf(dataTrigger(parseDataId(dataId), "write"), debuggeeAt(...code), 7);
  const rbx = run("reg:host:rbx");
  expect(rbx.map(({ fields }) => [fields.old, fields.new])).toEqual([
    [0n, 5n],
    [5n, 6n],
  ]);
  expect(rbx.map(({ rip }) => rip)).toEqual([BigInt(START), BigInt(START + 10)]);
  expect(run("reg:guest:rbx")).toEqual([]);
  const [cr0, ...more] = run("reg:host:cr0");
  expect(more).toEqual([]);
  expect((cr0?.fields.old as bigint) ^ (cr0?.fields.new as bigint)).toBe(2n);
});

test("an MSR that VMLOAD loads changes at VMLOAD", () => {
  // mov eax, 0x200000; vmload; nop
  const debuggee = debuggeeAt(0xb8, 0, 0, 0x20, 0, 0x0f, 0x01, 0xda, 0x90);
  const { machine } = debuggee;
  machine.state.efer |= 0x1000n;
  new VmcbView(machine.cpu.physical, 0x20_0000).write("LSTAR", 0x1234_5678n);
  const hits = hitsOf(dataTrigger(parseDataId("msr:0xc0000082"), "write"), debuggee, 3);
  expect(hits.map(({ fields }) => [fields.old, fields.new])).toEqual([[0n, 0x1234_5678n]]);
  expect(machine.state.rip).toBe(BigInt(START + 9));
});

test("code of an image is its world's, unless the mode says otherwise", () => {
  const debuggee = debuggeeAt(0x90);
  const presence = new ImagePresence(debuggee, () => undefined);
  const placement = new Placement(debuggee, presence);
  const known = (id: number, mode: OwnMode, place: Place) =>
    bind({ id, title: "", mode, options: undefined, find: () => ({ places: [place] }) });
  const hosts = { kind: "physical", address: START, world: "host" } as const;
  const nobodys = { kind: "physical", address: START } as const;
  placement.place(
    [
      known(1, "own", hosts),
      known(2, "any", hosts),
      known(3, "guest", hosts),
      known(4, "own", nobodys),
    ],
    () => undefined,
  );
  const at = (guest: boolean) =>
    placement.at({ linear: 1n, physical: START, guest }).map(({ id }) => id);
  expect(at(false)).toEqual([1, 2, 4]);
  expect(at(true)).toEqual([2, 3, 4]);
  placement.clear();
  presence.dispose();
});

test("ten thousand data breakpoints at once: each of its own bytes", () => {
  // mov dword [0x20100], 1; mov dword [0x30000], 2
  const code = [0xc7, 5, 0, 1, 2, 0, 1, 0, 0, 0, 0xc7, 5, 0, 0, 3, 0, 2, 0, 0, 0];
  const debuggee = debuggeeAt(...code);
  const presence = new ImagePresence(debuggee, () => undefined);
  const placement = new Placement(debuggee, presence);
  const made = Array.from({ length: 10_000 }, (_, id) => {
    const dataId = `${id % 2 === 0 ? "hpa:" : "hva@0x0:"}0x${(0x2_0000 + id * 4).toString(16)},4`;
    const found = { trigger: dataTrigger(parseDataId(dataId), "write") };
    return bind({
      id,
      title: "",
      mode: "any",
      options: new BreakpointOptions({}),
      find: () => found,
    });
  });
  const hit: number[] = [];
  placement.place(made, ({ id }) => {
    hit.push(id);
    return undefined;
  });
  debuggee.machine.run({ instructions: 2 });
  expect(hit).toEqual([0x40]);
  placement.place([...made.slice(1)], () => undefined);
  placement.clear();
  presence.dispose();
});

test("old and new values agree with the bytes before and after, wherever an access falls", () => {
  const seed = testSeed();
  console.log(`seed ${seed}`);
  const access = fc.record({
    offset: fc.integer({ min: -9, max: 40 }),
    size: fc.integer({ min: 1, max: 8 }),
    watched: fc.integer({ min: 1, max: 32 }),
    memory: fc.uint8Array({ minLength: 64, maxLength: 64 }),
    value: fc.bigInt(0n, (1n << 64n) - 1n),
  });
  fc.assert(
    fc.property(access, ({ offset, size, watched, memory, value }) => {
      const base = 16;
      const before = memory.slice();
      const after = memory.slice();
      after.set(toBytes(value, size), base + offset);
      const found = valuesOf(
        {
          offset,
          size,
          write: true,
          before: fromBytes(before.slice(base + offset, base + offset + size)),
        },
        watched,
        undefined,
        (at, length) => after.slice(base + at, base + at + length),
      );
      const first = Math.max(0, offset);
      const end = Math.min(watched, offset + size);
      if (first >= end) {
        expect(found).toBeUndefined();
        return;
      }
      const [from, to] = watched <= 16 ? [0, watched] : [first, end];
      expect(found?.old).toBe(fromBytes(before.slice(base + from, base + to)));
      expect(found?.now).toBe(fromBytes(after.slice(base + from, base + to)));
    }),
    { seed, numRuns: 2000 },
  );
});

const bits = fc.option(fc.record({ offset: fc.nat(63), width: fc.integer({ min: 1, max: 64 }) }), {
  nil: undefined,
});
const address = fc.bigInt(0n, (1n << 64n) - 1n);
const space = fc.oneof(
  fc.constant({ kind: "hpa" as const }),
  fc.record({ kind: fc.constant("hva" as const), root: address }),
  fc.record({ kind: fc.constant("gpa" as const), guest: fc.integer({ min: 1, max: 99 }) }),
  fc.record({
    kind: fc.constant("gva" as const),
    guest: fc.integer({ min: 1, max: 99 }),
    root: address,
  }),
);
const place = fc.oneof(
  fc.record({
    kind: fc.constant("memory" as const),
    space,
    address,
    size: fc.integer({ min: 1, max: 4096 }),
    bits,
  }),
  fc.record({
    kind: fc.constant("register" as const),
    world: fc.constantFrom("host" as const, "guest" as const),
    name: fc.constantFrom(...GENERAL_REGISTERS, "cs", "cr3", "xmm0"),
    part: fc.option(fc.constantFrom("base" as const, "limit" as const), { nil: undefined }),
    bits,
  }),
  fc.record({ kind: fc.constant("msr" as const), index: fc.nat(0xffff_ffff), bits }),
  fc.record({
    kind: fc.constant("vmcb" as const),
    vmcb: fc.nat(0xffff_f000),
    field: fc.constantFrom(...(Object.keys(VMCB_FIELDS) as (keyof typeof VMCB_FIELDS)[])),
    bits,
  }),
);

/** Optional parts that are undefined are left out. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}n` : each)));

test("a data breakpoint's id names its place, and any other text is refused with the grammar", () => {
  const seed = testSeed();
  console.log(`seed ${seed}`);
  fc.assert(
    fc.property(place, (each) => {
      expect(plain(parseDataId(formatDataId(each as ValuePlace)))).toEqual(plain(each));
    }),
    { seed, numRuns: 1000 },
  );
  const noise = fc.oneof(
    fc.string(),
    fc.stringMatching(/^(reg|msr|vmcb|hpa|gva@g1)?:?[a-z0-9:,#+.@x]{0,20}$/),
  );
  fc.assert(
    fc.property(noise, (text) => {
      try {
        parseDataId(text);
      } catch (caught) {
        expect(caught).toBeInstanceOf(UserError);
        expect((caught as Error).message).toMatch(/\.$/);
      }
    }),
    { seed, numRuns: 2000 },
  );
});

test("event texts: every form, and noise gives a function's name or one sentence", () => {
  expect(EVENT_FORMS.map((shape) => shape.split(/:| /)[0])).toEqual([
    ...["vmexit", "vmrun", "exception", "irq", "io", "msr", "mmio"],
  ]);
  expect(parseEvent(" VMEXIT : vmexit_npf ")).toMatchObject({ found: { exits: ["NPF"] } });
  expect(parseEvent("vmexit")).toMatchObject({ found: { exits: ["*"] } });
  expect(parseEvent("vmexit:CR?_WRITE")?.found.exits).toContain("CR3_WRITE");
  for (const name of ["vmrun_instruction", "main", "io_read", "kernel.elf!io", "msr"]) {
    if (name === "msr") expect(() => parseEvent(name)).toThrow(/does not say which/);
    else expect(parseEvent(name), name).toBeUndefined();
  }
  const seed = testSeed();
  console.log(`seed ${seed}`);
  const noise = fc.stringMatching(
    /^(guest:|host:)?(vmexit|vmrun|exception|irq|io|msr|mmio)?:?[-:0-9a-fxA-Z*#]{0,16}(:r|:w)?$/,
  );
  fc.assert(
    fc.property(noise, (text) => {
      try {
        parseEvent(text);
      } catch (caught) {
        expect(caught).toBeInstanceOf(UserError);
        expect((caught as Error).message).toMatch(/\.$/);
      }
    }),
    { seed, numRuns: 3000 },
  );
});

test("log messages: at most 60 events and 500 lines a second, and what was left out is counted", () => {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  const events: { at: number; text: string }[] = [];
  const output = new LogOutput(
    () => ({
      now: () => now,
      schedule: (run, delay) => {
        const timer = { at: now + delay, run };
        timers.push(timer);
        return () => {
          timers = timers.filter((each) => each !== timer);
        };
      },
    }),
    (text) => events.push({ at: now, text }),
  );
  const pass = (until: number): void => {
    for (;;) {
      const due = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      timers = timers.filter((each) => each !== due);
      now = Math.max(now, due.at);
      due.run();
    }
    now = until;
  };
  output.add("first");
  pass(5);
  expect(events).toEqual([{ at: 0, text: "first\n" }]);
  for (let i = 0; i < 10_000; i++) {
    output.add(`line ${i}`);
    pass(now + 0.1);
  }
  pass(now + 2000);
  for (let start = 0; start < 4000; start += 250) {
    const inSecond = events.filter(({ at }) => at >= start && at < start + 1000);
    expect(inSecond.length).toBeLessThanOrEqual(60);
  }
  const text = events.map((each) => each.text).join("");
  const shown = text.match(/^line \d+$/gm)?.length ?? 0;
  const left = [...text.matchAll(/^(\d+) log messages suppressed/gm)].map((each) =>
    Number(each[1]),
  );
  expect(shown).toBeLessThanOrEqual(1002);
  expect(shown + left.reduce((a, b) => a + b, 0)).toBe(10_000);
  output.add("last");
  output.flush();
  expect(events.at(-1)?.text).toBe("last\n");
});
