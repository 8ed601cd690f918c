// Debian's kernel, with KASLR: its symbols, types and stacks as we read them are those it prints itself.
import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { type CodeFrame, worldFrames } from "../../../debug-adapter/stack.ts";
import type { RunResult } from "../../../emulator/index.ts";
import type { KernelSymbols } from "../../../symbols/linux/kernel-symbols.ts";
import { sizeOf, typeName } from "../../../symbols/types.ts";
import { makeGuests } from "../../harness/linux-guest.ts";
import { testSeed } from "../../harness/random.ts";
import { ARGUMENTS, KernelBoot } from "./kernel-boot.ts";

const SLABS: Readonly<Record<string, string>> = {
  dentry: "struct dentry",
  filp: "struct file",
  vm_area_struct: "struct vm_area_struct",
  files_cache: "struct files_struct",
  signal_cache: "struct signal_struct",
  sighand_cache: "struct sighand_struct",
  fs_cache: "struct fs_struct",
  cred_jar: "struct cred",
  buffer_head: "struct buffer_head",
  radix_tree_node: "struct xa_node",
  anon_vma: "struct anon_vma",
  inode_cache: "struct inode",
  proc_inode_cache: "struct proc_inode",
};

/** What the kernel says of itself; the last line makes it print its own stack. */
const INIT = `#!/bin/sh
b=/bin/busybox
mount -t proc proc /proc
mount -t sysfs sys /sys
echo 0 > /proc/sys/kernel/kptr_restrict
echo 1 > /proc/sys/kernel/printk
echo "KALLSYMS $($b grep -v '\\[' /proc/kallsyms | sha256sum)"
echo "BTF $(sha256sum < /sys/kernel/btf/vmlinux)"
echo "NOTES $($b hexdump -v -e '/1 "%02x"' /sys/kernel/notes)"
for slab in ${Object.keys(SLABS).join(" ")}; do
  echo "SLAB $slab $($b cat /sys/kernel/slab/$slab/object_size)"
done
echo 7 > /proc/sys/kernel/printk
echo l > /proc/sysrq-trigger
echo 1 > /proc/sys/kernel/printk
echo ORACLE-DONE
poweroff -f
`;

const SAMPLES = 45;
const seed = testSeed();
const MOST_FRAMES = 100;
/** What was interrupted stands outside of these, and made no call. */
const ENTRY = /^(?:entry_SYSCALL_64|asm_\w+)/;

interface Sample {
  readonly icount: number;
  readonly frames: readonly CodeFrame[];
  /** Frames whose return address is not behind a CALL. */
  readonly wild: readonly string[];
}

let boot: KernelBoot;
let samples: Sample[];
let end: RunResult;
const unimplemented: string[] = [];
/** Our stack and task when the kernel begins to print its own. */
let atDump: CodeFrame[];
let taskAtDump: { pid: number; name: string } | undefined;
/** Return addresses outside of a retpoline, at each of its instructions. */
let inThunk: bigint[][];
let firstTask: { pid: number; name: string } | undefined;

beforeAll(() => {
  makeGuests();
  boot = new KernelBoot({ init: INIT, arguments: `${ARGUMENTS} slab_nomerge` });
  boot.machine.observe({
    name: "unimplemented",
    on: { unimplemented: ({ bytes }) => void unimplemented.push(bytes.join(" ")) },
  });
  boot.runToKernel();
  boot.runTo(boot.address("rest_init"));
  firstTask = boot.kernel?.task();
  inThunk = throughRetpoline();
  samples = Array.from({ length: SAMPLES }, (_, i) => sample(i));
  boot.runTo(boot.address("dump_stack_lvl"), 4e9);
  atDump = worldFrames(boot.debuggee, boot.world, MOST_FRAMES);
  taskAtDump = boot.kernel?.task();
  end = boot.booted.runToEnd(500_000_000);
}, 600_000);

function throughRetpoline(): bigint[][] {
  const thunk = boot.address("__x86_indirect_thunk_rax");
  boot.runTo(thunk);
  const callers: bigint[][] = [];
  const { symbols } = boot.image!;
  const isInside = () =>
    /^__x86_indirect/.test(symbols.functionAt(boot.machine.state.rip)?.name ?? "");
  for (let i = 0; i < 20 && isInside(); i++) {
    const [, ...outer] = worldFrames(boot.debuggee, boot.world, MOST_FRAMES);
    callers.push(outer.map(({ pc }) => pc));
    boot.machine.step();
  }
  return callers;
}

/** The stack at a moment that the seed chooses, some 10 M instructions on. */
function sample(i: number): Sample {
  boot.booted.runToEnd(9_000_000 + ((seed * (i + 1) * 7919) % 2_000_000));
  const frames = worldFrames(boot.debuggee, boot.world, MOST_FRAMES);
  const called = frames.filter((_, j) => j > 0 && !ENTRY.test(frames[j - 1]!.name));
  const wild = called.filter(isWild).map((frame) => frame.name);
  return { icount: boot.machine.icount, frames, wild };
}

/** E8 and four bytes, or FF /2 in two, three, six or seven bytes. */
function isWild({ pc, state }: CodeFrame): boolean {
  const before = state.readMemory(pc - 7n, 7) ?? new Uint8Array(7);
  const indirect = [0, 1, 4, 5].some((i) => before[i] === 0xff && (before[i + 1]! & 0x38) === 0x10);
  return before[2] !== 0xe8 && !indirect;
}

const line = (name: string): string => {
  const found = boot.booted.console.split("\n").find((each) => each.startsWith(`${name} `));
  return found?.slice(name.length + 1) ?? `the guest printed no ${name}`;
};

test("the kernel is found before it runs start_kernel, and the user is told", () => {
  const [told, ...more] = boot.told;
  expect(told).toMatch(
    /^Guest kernel: Linux 6\.[\w.-]+, [\d,]+ symbols, KASLR slide 0x[1-9a-f][0-9a-f]*00000\.$/,
  );
  expect(more).toEqual([]);
});

test("the kernel boots without a hypervisor at an address of its own choice, and powers off", () => {
  expect(end, boot.booted.console).toEqual({ reason: "powerOff" });
  const beforeTrace = boot.booted.console.split("sysrq: ")[0];
  expect(beforeTrace).toContain("\nNOTES ");
  expect(beforeTrace).not.toMatch(/Call Trace|unchecked MSR|BUG:|WARNING:/);
  expect(boot.machine.state.exitCount).toBe(0);
  expect(unimplemented).toEqual([]);
});

test("each symbol is the one that the kernel prints in /proc/kallsyms", () => {
  const { slide, parts } = boot.image!;
  const hash = createHash("sha256");
  let count = 0;
  const { symbols } = parts.symbols as KernelSymbols;
  for (const { name, address, letter } of symbols.lines()) {
    const run = address < 0xffffffff_80000000n ? address : address + slide!;
    hash.update(`${run.toString(16).padStart(16, "0")} ${letter} ${name}\n`);
    count++;
  }
  expect(count).toBeGreaterThan(50_000);
  expect(line("KALLSYMS")).toBe(`${hash.digest("hex")}  -`);
});

test("the build id is the one in the kernel's notes", () => {
  const { buildId } = boot.image!.symbols;
  expect(buildId).toMatch(/^[0-9a-f]{40}$/);
  expect(line("NOTES")).toContain(`${"474e5500"}${buildId}`);
});

test("sizes of types are those with which the kernel allocates them", () => {
  const sizes = Object.entries(SLABS).map(([slab, type]) => {
    const found = boot.image!.symbols.typeNamed(type);
    return [slab, found && sizeOf(found)];
  });
  const printed = boot.booted.console.matchAll(/^SLAB (\w+) (\d+)$/gm);
  expect(sizes).toEqual([...printed].map(([, slab, size]) => [slab, Number(size)]));
});

test("the types are the kernel's own bytes of them", () => {
  const [start, stop] = ["__start_BTF", "__stop_BTF"].map((name) => boot.address(name));
  const bytes = boot.debuggee.readLinear(boot.world, start!, Number(stop! - start!));
  expect(line("BTF")).toBe(`${createHash("sha256").update(bytes).digest("hex")}  -`);
});

test("our stack is the one that the kernel prints at the same instant", () => {
  // Lines with "?" are words of the stack that the kernel does not believe to be frames.
  const printed = [
    ...boot.booted.console.matchAll(/^\[ *[\d.]+\] {2}(\w[\w.]*)\+(0x\w+)\/0x\w+$/gm),
  ];
  expect(printed.length).toBeGreaterThan(5);
  const kernelFrames = atDump.filter(({ image }) => image !== undefined);
  const ours = kernelFrames.map(({ pc, image }) => {
    const hit = image!.symbols.functionAt(pc);
    return `${hit?.name}+0x${hit?.offset.toString(16)}`;
  });
  expect(ours[0]).toBe("dump_stack_lvl+0x0");
  expect(ours.slice(1)).toEqual(printed.slice(1).map(([, name, offset]) => `${name}+${offset}`));
  expect(kernelFrames.every(({ certainty }) => certainty === "exact")).toBe(true);
  const user = /RIP: 0033:0x([0-9a-f]+)/.exec(boot.booted.console)?.[1];
  const interrupted = atDump[kernelFrames.length];
  expect(interrupted?.pc.toString(16)).toBe(user);
  expect(interrupted?.ring).toBe(3);
});

test("the current task is the one that the kernel names at the same instant", () => {
  const [, pid, name] = /CPU: 0 PID: (\d+) Comm: (\S+)/.exec(boot.booted.console) ?? [];
  expect(taskAtDump).toMatchObject({ pid: Number(pid), name });
  expect(firstTask).toMatchObject({ pid: 0, name: "swapper/0" });
});

test(`stacks at any moment end where the kernel's do, and each frame was called (seed ${seed})`, () => {
  const ends = /^(?:secondary_startup_64|ret_from_fork|entry_SYSCALL_64|asm_\w+|entry_)/;
  for (const { icount, frames, wild } of samples) {
    // It leaves one task's stack for another's: the kernel's tables do not tell which is meant.
    if (frames[0]?.name.startsWith("__switch_to_asm")) continue;
    const inKernel = frames.filter(({ image }) => image !== undefined);
    const names = `${icount}: ${frames.map((frame) => frame.name).join(" < ")}`;
    expect(wild, names).toEqual([]);
    if (inKernel.length > 0) expect(inKernel.at(-1)?.name, names).toMatch(ends);
  }
  const deep = samples.filter(({ frames }) => frames.length > 3);
  expect(deep.length).toBeGreaterThan(SAMPLES / 2);
});

test("at each instruction of a retpoline the stack is that of its caller", () => {
  expect(inThunk.length).toBeGreaterThan(2);
  expect(inThunk[0]!.length).toBeGreaterThan(1);
  for (const callers of inThunk) expect(callers).toEqual(inThunk[0]);
});

test("parameters are known at a function's first instruction only", () => {
  const { symbols } = boot.image!;
  const [place] = symbols.functionsNamed("vfs_read");
  const [frame] = symbols.framesAt(place!.address);
  const shown = frame!.variables.map(({ name, type }) => `${typeName(type)} ${name}`);
  expect(shown).toEqual(["struct file * file", "char * buf", "size_t count", "loff_t * pos"]);
  expect(symbols.framesAt(place!.address + 9n)).toEqual([]);
});
