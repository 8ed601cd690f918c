// Linux under MinVisor: stacks from a kernel's system call out to its process and to the host, and
// steps of processes that share addresses.
import { beforeAll, expect, test } from "vitest";
import type { StepPolicy } from "../../../debug-adapter/protocol.ts";
import type { Stop } from "../../../debug-adapter/runner.ts";
import { CallStack, type CodeFrame, type Frame } from "../../../debug-adapter/stack.ts";
import { Stepper, type StepRequest } from "../../../debug-adapter/stepping/stepper.ts";
import { makeGuests } from "../../harness/linux-guest.ts";
import { disassembler, LoneRunner, loadSample } from "../../harness/loaded-debuggee.ts";
import { KernelBoot } from "../../symbols/linux/kernel-boot.ts";

/** Processes of one program, which block on each other; without ASLR they share all addresses. */
const INIT = `#!/bin/sh
mount -t proc proc /proc
echo 1 > /proc/sys/kernel/printk
echo READY
seq 1 200000 | gzip -c | gzip -dc | sha256sum
echo DONE
poweroff -f
`;
/** Exits of instructions that MinVisor does in the guest's place: CPUID, HLT, IOIO and MSR. */
const INTERCEPTED: ReadonlySet<bigint> = new Set([0x72n, 0x78n, 0x7bn, 0x7cn]);
const WORKING = /^(gzip|seq|sha256sum)$/;

let boot: KernelBoot;
let runner: LoneRunner;

beforeAll(async () => {
  makeGuests();
  const { images } = await loadSample();
  boot = new KernelBoot({
    init: INIT,
    underMinVisor: true,
    arguments: "console=ttyS0 cryptomgr.notests=1 panic=-1 norandmaps",
    images: images.all.filter(({ world }) => world === "host"),
  });
  boot.runToKernel();
  runner = new LoneRunner(boot.debuggee);
}, 300_000);

function runToReady(): void {
  for (let i = 0; i < 400 && !boot.booted.console.includes("READY"); i++) {
    boot.booted.runToEnd(10_000_000);
  }
  expect(boot.booted.console).toContain("READY");
}

function step(
  kind: StepRequest["kind"],
  granularity: StepRequest["granularity"],
  policy: StepPolicy = "sameWorld",
): Stop | undefined {
  return runner.run(new Stepper(boot.debuggee, disassembler, { kind, granularity, policy }));
}

const frames = (): readonly Frame[] => new CallStack(boot.debuggee).slice(0, 100);
const isCode = (frame: Frame): frame is CodeFrame => frame.kind === "code";
const task = () => boot.kernel?.task();

/** Runs to a kernel's function in a process of the pipeline. */
function runToWorking(name: string): void {
  const address = boot.address(name);
  for (let i = 0; i < 200; i++) {
    boot.runTo(address);
    if (WORKING.test(task()?.name ?? "")) return;
    boot.machine.step();
  }
  throw new Error(`no process of the pipeline comes to ${name}`);
}

/** E8 and four bytes, or FF /2 in two, three, six or seven bytes. */
function isBehindCall({ pc, state }: CodeFrame): boolean {
  const before = state.readMemory(pc - 7n, 7) ?? new Uint8Array(7);
  const indirect = [0, 1, 4, 5].some((i) => before[i] === 0xff && (before[i + 1]! & 0x38) === 0x10);
  return before[2] === 0xe8 || indirect;
}

/** An instruction of the kernel that has exited three times: it does so again. */
function exitingInstruction(): bigint {
  const counts = new Map<bigint, number>();
  let found: bigint | undefined;
  const detach = boot.machine.observe({
    name: "exits",
    on: {
      exit: ({ code, guestRip }) => {
        if (!INTERCEPTED.has(code) || guestRip < 2n ** 63n) return undefined;
        counts.set(guestRip, (counts.get(guestRip) ?? 0) + 1);
        if ((counts.get(guestRip) ?? 0) < 3) return undefined;
        found = guestRip;
        return "stop";
      },
    },
  });
  boot.booted.runToEnd(500_000_000);
  detach();
  if (found === undefined) throw new Error("no instruction of the kernel exits often");
  return found;
}

test("followCpu ends on the host's first instruction after an exit, and in the guest after VMRUN", () => {
  const address = exitingInstruction();
  expect(boot.runTo(address).reason).toBe("observer");
  const { number } = boot.debuggee.exits.last ?? { number: 0 };
  expect(step("over", "instruction", "followCpu")?.reason).toBe("step");
  expect(boot.debuggee.world).toBe("host");
  expect(boot.debuggee.exits.last).toMatchObject({ number: number + 1, guestRip: address });
  expect(frames().filter(isCode)[0]?.name).toBe("vmrun");
  for (let i = 0; i < 20_000 && boot.debuggee.world === "host"; i++) {
    expect(step("in", "instruction", "followCpu")?.reason).toBe("step");
  }
  expect(boot.debuggee.world).toBe("guest");
  // MinVisor did the instruction in the guest's place.
  const [instruction] = disassembler.decode(
    boot.debuggee.readLinear("guest", address, 15),
    address,
    64,
    1,
  );
  expect(boot.debuggee.linearRip).toBe(address + BigInt(instruction?.length ?? 0));
}, 300_000);

test("from a system call's kernel function out to the process, and through the exit to the host", () => {
  runToReady();
  runToWorking("ksys_write");
  const all = frames();
  const texts = all.map((frame) =>
    isCode(frame) ? `${frame.world} ${frame.ring ?? "?"} ${frame.name}` : `-- ${frame.name}`,
  );
  const shown = texts.join("\n");
  const border = texts.indexOf("-- SYSCALL in ring 3");
  expect(border, shown).toBeGreaterThan(1);
  expect(texts[0]).toBe("guest 0 ksys_write");
  expect(texts[border - 1]).toMatch(/^guest 0 entry_SYSCALL_64/);
  const user = all[border + 1]!;
  if (!isCode(user)) throw new Error("no frame of the process");
  expect(user.ring, shown).toBe(3);
  // The process goes on behind its SYSCALL.
  expect([...(user.state.readMemory(user.pc - 2n, 2) ?? [])]).toEqual([0x0f, 0x05]);
  expect(user.registers.get("rsp")).toBeLessThan(0x8000_0000_0000n);
  const called = all.slice(1, border).filter(isCode);
  expect(
    called.filter((frame) => !isBehindCall(frame)),
    shown,
  ).toEqual([]);
  expect(called.every(({ certainty }) => certainty === "exact")).toBe(true);
  const exit = texts.findIndex((text) => /^-- VMRUN after #VMEXIT/.test(text));
  expect(exit, shown).toBeGreaterThan(border);
  const hosts = all.slice(exit + 1).filter(isCode);
  expect(hosts.map(({ name }) => name)).toEqual([
    "vmrun",
    "run_guest",
    "minvisor_main",
    expect.stringMatching(/^start64/),
  ]);
  expect(hosts.slice(1).filter((frame) => !isBehindCall(frame))).toEqual([]);
}, 300_000);

test("a step over a system call that blocks ends in the process that made it", () => {
  runToWorking("ksys_read");
  const user = frames().find((frame) => isCode(frame) && frame.ring === 3) as CodeFrame;
  const syscall = user.pc - 2n;
  const made = new Set<number>();
  let switches = 0;
  for (let i = 0; i < 24; i++) {
    boot.runTo(syscall);
    const before = task();
    const { rsp, cr3 } = boot.machine.state;
    const detach = boot.machine.observe({
      name: "switches",
      on: { paging: ({ register }) => void (register === "cr3" && switches++) },
    });
    const stop = step("over", "instruction");
    detach();
    expect(stop?.reason).toBe("step");
    expect(task()).toEqual(before);
    expect(boot.debuggee.linearRip).toBe(user.pc);
    expect([boot.machine.state.rsp, boot.machine.state.cr3]).toEqual([rsp, cr3]);
    made.add(before?.pid ?? 0);
  }
  // Several processes made the same call at the same address, and waited for each other in it.
  expect(made.size).toBeGreaterThan(1);
  expect(switches).toBeGreaterThan(2 * 24);
}, 300_000);

test("instruction steps of a process stay in it, through faults and timer interrupts", () => {
  const before = task();
  for (let i = 0; i < 400; i++) {
    expect(step("over", "instruction")?.reason).toBe("step");
    expect([boot.machine.state.cpl, boot.debuggee.world, task()]).toEqual([3, "guest", before]);
  }
}, 300_000);

test("stepping out of a kernel's function ends in its caller, in the same task", () => {
  runToWorking("vfs_read");
  const before = task();
  const callers = frames().filter(isCode);
  step("out", "instruction");
  expect(task()).toEqual(before);
  const [frame] = frames().filter(isCode);
  expect(frame?.pc).toBe(callers[1]?.pc);
  expect(frame?.name).toMatch(/^ksys_read/);
}, 300_000);
