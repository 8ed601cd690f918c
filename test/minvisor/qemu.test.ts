// MinVisor on QEMU's SVM, an implementation that shares no line with ours.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LONG_MODE_GUEST, SEEDED_BUGS, seededBugElf } from "../../scripts/build-minvisor.mjs";
import {
  cpioArchive,
  DONE_LINE,
  INITRD_PATH,
  makeLinuxGuest,
  RESULTS,
} from "../../scripts/guest-linux.mjs";
import {
  type Boot,
  bootOnQemu,
  type Counts,
  linuxModules,
  sampleModules,
} from "../../scripts/qemu-boot.mjs";

const folder = mkdtempSync(join(tmpdir(), "minvisor-qemu-"));

beforeAll(() => {
  makeLinuxGuest();
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true }));

async function boot(options: Boot) {
  const result = await bootOnQemu(options);
  const console = result.com1.replaceAll("\r", "");
  expect(result.timedOut, `QEMU did not end; COM1 so far:\n${console}`).toBe(false);
  return { ...result, console };
}

const sum = (counts: Record<string, number>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** Every exit that has a key of its own is counted under it, none twice and none left out. */
function expectCountsAddUp(counts: Counts) {
  expect(sum(counts.cpuid)).toBe(counts.exits.CPUID);
  expect(sum(counts.msrs)).toBe(counts.exits.MSR);
  expect(sum(counts.ports)).toBe(counts.exits.IOIO);
}

function flatImage(name: string, bytes: readonly number[]): string {
  const path = join(folder, name);
  writeFileSync(path, Uint8Array.from(bytes));
  return path;
}

const SAMPLE_CONSOLE = `sample: real mode
sample: protected mode
sample: long mode
cpuid: SVM is hidden: ok
msr: FS base is the guest's own: ok
msr: SVME reads 0: ok
msr: VM_HSAVE_PA is refused: ok
ioio: COM2 reads all ones: ok
ioio: INS from COM2 too: ok
ioio: INS into MinVisor is refused: ok
vmmcall: MinVisor answers: ok
npf: a read of MinVisor is refused: ok
npf: a write to its control pages is refused: ok
npf: a fetch of its last byte is refused: ok
hlt: the timer woke the guest: ok
GUEST-DONE
`;

describe("our own guests", () => {
  test("the sample guest makes each exit once and powers off", async () => {
    const { status, console, com2, counts } = await boot({ modules: sampleModules() });
    expect(console).toBe(SAMPLE_CONSOLE);
    expect(status).toBe(0);
    expect(counts.end).toBe("power-off");
    expectCountsAddUp(counts);
    const { IOIO, INTR = 0, VINTR = 0, ...exits } = counts.exits;
    expect(exits).toEqual({ CPUID: 2, MSR: 6, VMMCALL: 1, NPF: 3, HLT: 1 });
    expect(IOIO).toBeGreaterThan(2 * SAMPLE_CONSOLE.length); // status and data a character
    expect(INTR + VINTR).toBeLessThan(5); // ticks of the firmware's timer that fall in between
    expect(counts.ports["0x03f8 out passed"]).toBe(SAMPLE_CONSOLE.length);
    expect(counts.ports).toMatchObject({ "0x02f8 in refused": 6, "0x0604 out mediated": 1 });
    expect(counts.msrs).toEqual({
      "0xc0000080 read mediated": 2,
      "0xc0000080 write mediated": 1,
      "0xc0000100 write passed": 1,
      "0xc0000100 read passed": 1,
      "0xc0010117 read refused": 1,
    });
    expect(com2.match(/npf .*/g)).toEqual([
      expect.stringContaining("npf read gpa 0x10000000 protected"),
      expect.stringContaining("npf write gpa 0x10200000 protected"),
      expect.stringContaining("npf fetch gpa 0x103fffff protected"),
    ]);
  });

  test("the long-mode guest needs no hypervisor", async () => {
    const { status, console } = await boot({ elf: LONG_MODE_GUEST, memory: 64 });
    expect(console).toBe("LONG-MODE-OK\n");
    expect(status).toBe(99);
  });

  test("a guest that shuts down is reported", async () => {
    // lidt [zero bytes at 7C20h]; int3: no vector can be read, nor #GP's, nor #DF's
    const code = [0xfa, 0x0f, 0x01, 0x1e, 0x20, 0x7c, 0xcc];
    const image = flatImage("shutdown.bin", [...code, ...Array<number>(64).fill(0)]);
    const { status, counts } = await boot({ modules: [image] });
    expect(counts.end).toBe("shutdown");
    expect(counts.exits.SHUTDOWN).toBe(1);
    expect(status).toBe(35);
  });

  test("a guest that halts with interrupts off is reported", async () => {
    const { status, counts } = await boot({ modules: [flatImage("halt.bin", [0xfa, 0xf4])] });
    expect(counts.end).toBe("halted with interrupts off");
    expect(status).toBe(39);
  });

  test("a reset by port 0xcf9 is seen", async () => {
    // mov dx, 0cf9h; mov al, 6; out dx, al
    const code = [0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee];
    const { status, counts } = await boot({ modules: [flatImage("reset.bin", code)] });
    expect(counts.end).toBe("reset by port 0xcf9");
    expect(status).toBe(0);
  });
});

test("a QEMU ends with the process that booted it", async () => {
  const boot = `import { bootOnQemu } from "./scripts/qemu-boot.mjs";
    await bootOnQemu({ modules: [process.argv[1]], onCom1: () => console.log("runs") });`;
  // mov dx, 3f8h; out dx, al; jmp to itself
  const image = flatImage("for-ever.bin", [0xba, 0xf8, 0x03, 0xee, 0xeb, 0xfe]);
  const parent = spawn(process.execPath, ["--input-type=module", "-e", boot, image]);
  await once(parent.stdout, "data");
  const children = `/proc/${parent.pid}/task/${parent.pid}/children`;
  const [qemu] = readFileSync(children, "utf8").split(" ");
  const stat = `/proc/${qemu}/stat`;
  expect(readFileSync(stat, "utf8")).toMatch(/^\d+ \(qemu.*\) [^Z]/);
  parent.kill("SIGTERM");
  await once(parent, "exit");
  // A process that has ended may stay as a zombie where nobody asks for its status.
  const isThere = () => existsSync(stat) && !/\) Z/.test(readFileSync(stat, "utf8"));
  await expect.poll(isThere, { timeout: 60_000 }).toBe(false);
});

describe("what MinVisor refuses to start with", () => {
  test.each<[string, Boot, string]>([
    ["two CPUs", { cpus: 2, modules: sampleModules() }, "the machine has 2 CPUs"],
    ["no module", {}, "the loader passed no module"],
    ["an unknown intercept", { append: "intercept=io,foo" }, 'unknown intercept at "foo"'],
    ["an unknown option", { append: "verbose" }, 'unknown option "verbose"'],
    ["an image too large", { modules: [INITRD_PATH] }, "no flat image either"],
  ])("%s", async (_, options, reason) => {
    const { status, com2 } = await boot(options);
    expect(com2).toContain(`minvisor: panic: `);
    expect(com2).toContain(reason);
    expect(status).toBe(33);
  });
});

describe("seeded bugs", () => {
  test.each(SEEDED_BUGS)("%s marks one line as the culprit", (bug) => {
    const [file] = readdirSync(`test/seeded-bugs/${bug}`);
    const source = readFileSync(`test/seeded-bugs/${bug}/${file}`, "utf8");
    expect(source.match(/\/\/ culprit$/gm)).toHaveLength(1);
  });

  test.each(SEEDED_BUGS)("%s is MinVisor's own file but for a few lines", (bug) => {
    const [file] = readdirSync(`test/seeded-bugs/${bug}`);
    const own = new Set(readFileSync(`minvisor/${file}`, "utf8").split("\n"));
    const lines = readFileSync(`test/seeded-bugs/${bug}/${file}`, "utf8").split("\n");
    expect(lines.filter((line) => !own.has(line)).length).toBeLessThanOrEqual(32);
  });

  test("a wrong region size lets the guest write MinVisor's control pages", async () => {
    const elf = seededBugElf("wrong-region-size");
    const { console } = await boot({ elf, modules: sampleModules() });
    expect(console).toContain("npf: a read of MinVisor is refused: ok");
    expect(console).toContain("npf: a write to its control pages is refused: WRONG");
  });

  test("tables outside the region go unnoticed by the guest", async () => {
    const elf = seededBugElf("tables-outside-region");
    const { console } = await boot({ elf, modules: sampleModules() });
    expect(console).toBe(SAMPLE_CONSOLE);
  });
});

describe("Debian's Linux", () => {
  function expectBooted(console: string, counts: Counts) {
    expect(console).toContain(RESULTS);
    expect(counts.end).toBe("power-off");
    expect(console).not.toMatch(/unchecked MSR access|Call Trace/);
    expectCountsAddUp(counts);
  }

  const countsBySize = new Map<number, Counts>();

  // In 1 GiB it boots in machine/qemu-comparison.test.ts.
  test.each([512, 3072])("boots to its end in %i MiB", async (memory) => {
    const { status, console, counts } = await boot({ modules: linuxModules(), memory });
    expectBooted(console, counts);
    expect(status).toBe(0);
    expect(Object.keys(counts.exits).sort()).toEqual(["CPUID", "IOIO", "MSR"]);
    expect(counts.cpuid["0x8000000a"]).toBeGreaterThan(0); // asked for, and told nothing
    countsBySize.set(memory, counts);
  });

  test("exits for the same CPUID leaves and MSRs whatever the memory's size", () => {
    const keys = [...countsBySize.values()].map(({ cpuid, msrs }) => ({ cpuid, msrs }));
    expect(keys).toHaveLength(2);
    expect(keys[1]).toEqual(keys[0]);
  });

  test("boots on a CPU with every feature that QEMU has", async () => {
    const { console, counts } = await boot({ modules: linuxModules(), cpu: "max" });
    expectBooted(console, counts);
  });

  test("boots with everything intercepted", async () => {
    const append = "intercept=io,msr,hlt,intr";
    const { console, counts } = await boot({ modules: linuxModules(), append });
    expectBooted(console, counts);
    expect(counts.exits.INTR).toBeGreaterThan(0);
    expect(counts.ports["0x03f8 out passed"]).toBeGreaterThan(console.length);
    expect(counts.msrs["0xc0000100 write passed"]).toBeGreaterThan(0);
  });

  test("lives on after it has touched MinVisor's memory", async () => {
    const script = `#!/bin/sh
mount -t devtmpfs dev /dev
busybox devmem 0x10000000
echo "devmem ended with $?"
echo ${DONE_LINE}
poweroff -f
`;
    const initrd = join(folder, "touch.cpio");
    const init = { name: "init", mode: 0o100755, data: Buffer.from(script) };
    const archives = readFileSync(INITRD_PATH, "latin1") + cpioArchive([init]).toString("latin1");
    writeFileSync(initrd, archives, "latin1");
    const [kernel = ""] = linuxModules("iomem=relaxed");
    const { console, com2, counts } = await boot({ modules: [kernel, initrd] });
    expect(console).toContain("devmem ended with 139"); // 128 + SIGSEGV
    expect(console).toContain(DONE_LINE);
    expect(counts.exits.NPF).toBe(1);
    expect(com2).toContain("npf read gpa 0x10000000 protected");
  });
});
