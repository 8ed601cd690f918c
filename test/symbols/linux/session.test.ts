// A guest's kernel under MinVisor over DAP, with KASLR: breakpoints, stack, task and types by its own symbols.
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import {
  type AdapterClient,
  inRepository,
  SAMPLE,
  startClient,
} from "../../harness/dap-adapter.ts";
import { makeGuests } from "../../harness/linux-guest.ts";

const linux = {
  ...SAMPLE,
  modules: [
    `${inRepository("cache/linux/vmlinuz")} console=ttyS0 cryptomgr.notests=1`,
    inRepository("cache/linux/initrd.cpio"),
  ],
  symbols: [],
  invariants: false,
};

beforeAll(makeGuests, 600_000);

let client: AdapterClient;
beforeEach(async () => {
  client = await startClient();
});
afterEach(() => client.stop());

test("a breakpoint on a kernel function waits for the kernel, binds where KASLR put it, and hits", async () => {
  const output: string[] = [];
  const changed: boolean[] = [];
  client.on("output", ({ body }) => {
    if (body.category === "console") output.push(body.output);
  });
  client.on("breakpoint", ({ body }) => changed.push(body.breakpoint.verified));
  await client.begin(linux);
  await client.setExceptionBreakpointsRequest({ filters: ["shutdown"] });
  const names = ["start_kernel", "vmlinux!kernel_init"];
  const set = await client.setFunctionBreakpointsRequest({
    breakpoints: names.map((name) => ({ name })),
  });
  expect(set.body.breakpoints.map(({ verified }) => verified)).toEqual([false, false]);
  await client.configurationDoneRequest();

  expect((await client.nextStop()).reason).toBe("breakpoint");
  expect(output.join("")).toMatch(
    /^Guest kernel: Linux 6\.[\w.-]+, [\d,]+ symbols, KASLR slide 0x[1-9a-f]\w*00000\.$/m,
  );
  expect(changed).toEqual([true, true]);
  const [start, ...callers] = await client.frames();
  expect(start?.name).toBe("guest · start_kernel");
  expect(callers[0]?.name).toMatch(/^guest · secondary_startup_64_no_verify/);
  expect(callers.some(({ name }) => name.includes("#VMEXIT") || name.includes("VMRUN"))).toBe(true);
  const { threads } = (await client.threadsRequest()).body;
  expect(threads[0]?.name).toContain("swapper(0)");

  expect((await client.go("continue")).reason).toBe("breakpoint");
  expect((await client.frames()).slice(0, 2).map(({ name }) => name)).toEqual([
    "guest · kernel_init",
    expect.stringMatching(/^guest · ret_from_fork/),
  ]);
  const [thread] = (await client.threadsRequest()).body.threads;
  expect(thread?.name).toContain("swapper/0(1)");
  const values = await Promise.all(
    ["$current->comm", "$current->pid", "sizeof(struct page)", "$current->parent->comm"].map(
      (each) => client.value(each, undefined),
    ),
  );
  expect(values[0]).toContain('"swapper/0"');
  expect(Number(values[1])).toBe(1);
  expect(Number(values[2])).toBe(64);
  expect(values[3]).toContain('"swapper/0"');
  expect(Number(await client.value("((struct task_struct *)$current)->tgid"))).toBe(1);
}, 120_000);

test("before there is a kernel $current says what it waits for", async () => {
  await client.runTo({ filters: ["exit:CPUID"] }, linux);
  expect(await client.failure("evaluate", { expression: "$current", context: "watch" })).toBe(
    "There is no $current: no Linux kernel with types of its own (BTF) runs yet in the machine.",
  );
});
