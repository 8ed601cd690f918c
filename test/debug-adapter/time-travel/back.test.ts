// Backwards over DAP: steps, stops and frames of a recorded run of the sample guest under MinVisor.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TimelineBody } from "../../../debug-adapter/protocol.ts";
import { LOOPS, SAMPLE } from "../../harness/dap-adapter.ts";
import { InProcessSession } from "../../harness/in-process-session.ts";

let session: InProcessSession;
beforeEach(() => {
  session = new InProcessSession();
});
afterEach(() => session.session.close());

interface Stop {
  readonly reason: string;
  readonly description: string;
  readonly text?: string;
}

const machine = () => session.session.loaded!.debuggee.machine;
const hash = (): string => machine().stateHash();

/** Asks for something that ends in a stop. */
async function go(command: string, args: object = {}): Promise<Stop> {
  const stopped = session.next<Stop>("stopped");
  await session.ask(command, { threadId: 1, ...args });
  return stopped;
}

async function runTo(filters: readonly string[], functions: readonly string[] = []): Promise<Stop> {
  await session.begin(SAMPLE);
  await session.ask("setExceptionBreakpoints", { filters });
  await session.ask("setFunctionBreakpoints", {
    breakpoints: functions.map((name) => ({ name })),
  });
  const stopped = session.next<Stop>("stopped");
  await session.ask("configurationDone");
  return stopped;
}

const top = async (): Promise<{ name: string; line: number }> =>
  (
    await session.ask<{ stackFrames: { name: string; line: number }[] }>("stackTrace", {
      threadId: 1,
      levels: 1,
    })
  ).stackFrames[0]!;

const labels = async (): Promise<string[]> =>
  (
    await session.ask<{ stackFrames: { name: string }[] }>("stackTrace", { threadId: 1 })
  ).stackFrames.map(({ name }) => name);

const timeline = () => session.ask<TimelineBody>("minvisor/timeline");

describe("by instruction", () => {
  test.each(["exit:CPUID", "exit:MSR"])(
    "N forward and N back from %s is where it was",
    async (filter) => {
      await runTo([filter]);
      await session.ask("setExceptionBreakpoints", { filters: [] });
      const seen: string[] = [];
      for (let i = 0; i < 25; i++) {
        seen.push(hash());
        await go("stepIn", { granularity: "instruction" });
      }
      for (const expected of seen.reverse()) {
        const stop = await go("stepBack", { granularity: "instruction" });
        expect(stop.reason).toBe("step");
        expect(hash()).toBe(expected);
      }
    },
  );

  test("in the guest, exits are invisible backwards too", async () => {
    await runTo(["exit:CPUID"]);
    await session.ask("setExceptionBreakpoints", { filters: [] });
    await session.ask("setFunctionBreakpoints", { breakpoints: [{ name: "guest_main" }] });
    await go("continue");
    await session.ask("setFunctionBreakpoints", { breakpoints: [] });
    // A stop at a breakpoint has fetched its instruction already, which the TLB shows: start behind it.
    await go("stepIn", { granularity: "instruction" });
    const seen: string[] = [];
    for (let i = 0; i < 60; i++) {
      seen.push(hash());
      await go("stepIn", { granularity: "instruction" });
      expect((await top()).name).toMatch(/^guest/);
    }
    for (const expected of seen.reverse()) {
      await go("minvisor/reverse", { kind: "in", granularity: "instruction" });
      expect((await top()).name).toMatch(/^guest/);
      expect(hash()).toBe(expected);
    }
  });
});

describe("over calls and interruptions", () => {
  async function begin(name: string): Promise<void> {
    await session.begin(LOOPS);
    await session.ask("setFunctionBreakpoints", { breakpoints: [{ name }] });
    await go("configurationDone");
  }

  async function code(): Promise<string> {
    const { rip } = machine().state;
    const { instructions } = await session.ask<{ instructions: { instruction: string }[] }>(
      "disassemble",
      { memoryReference: `gva:0x${rip.toString(16)}`, instructionCount: 1 },
    );
    return instructions[0]!.instruction;
  }

  test("what an interrupt woke was halted, however long its handler was", async () => {
    await begin("vmexit:HLT");
    await go("continue");
    await session.ask("setFunctionBreakpoints", { breakpoints: [{ name: "tick_entry" }] });
    await go("continue");
    await session.ask("setFunctionBreakpoints", { breakpoints: [] });
    await go("stepOut", { granularity: "instruction" });
    const { icount, exit } = await timeline();
    await go("minvisor/reverse", { kind: "over", granularity: "instruction" });
    expect(await code()).toBe("hlt");
    expect(icount - (await timeline()).icount).toBeLessThan(1000);
    expect(exit - (await timeline()).exit).toBe(2);
  });

  test("a call is the one of the same depth, though the function calls itself", async () => {
    await begin("deep");
    for (let depth = 0; depth < 3; depth++) await go("continue");
    await session.ask("setFunctionBreakpoints", { breakpoints: [] });
    while (!(await code()).startsWith("call")) await go("stepIn", { granularity: "instruction" });
    const { icount } = await timeline();
    await go("next", { granularity: "instruction" });
    expect((await timeline()).icount).toBeGreaterThan(icount + 1000);
    await go("minvisor/reverse", { kind: "over", granularity: "instruction" });
    expect((await timeline()).icount).toBe(icount);
  });

  test("a handler that goes on behind what raised the exception", async () => {
    await begin("undefined_entry");
    const { icount } = await timeline();
    for (let i = 0; i < 3; i++) await go("stepIn", { granularity: "instruction" });
    expect(await code()).toBe("xor %eax,%ebx");
    await go("minvisor/reverse", { kind: "over", granularity: "instruction" });
    expect(await code()).toBe("ud2");
    expect((await timeline()).icount).toBe(icount);
  });
});

describe("by line", () => {
  test("back over calls and out of functions, line by line", async () => {
    await runTo([], ["exit_cpuid"]);
    await session.ask("setFunctionBreakpoints", { breakpoints: [] });
    const lines: string[] = [];
    const place = async () => {
      const { name, line } = await top();
      return `${name}:${line}`;
    };
    lines.push(await place());
    for (let i = 0; i < 12; i++) {
      await go("next");
      lines.push(await place());
    }
    const back: string[] = [];
    for (let i = 0; i < 12; i++) {
      await go("stepBack");
      back.push(await place());
    }
    expect({ forward: lines.slice(0, 12).reverse(), back }).toMatchInlineSnapshot(`
      {
        "back": [
          "host · exit_cpuid:34",
          "host · exit_cpuid:33",
          "host · exit_cpuid:32",
          "host · exit_cpuid:31",
          "host · exit_cpuid:30",
          "host · exit_cpuid:27",
          "host · exit_cpuid:25",
          "host · exit_cpuid:20",
          "host · exit_cpuid:19",
          "host · exit_cpuid:17",
          "host · exit_cpuid:16",
          "host · exit_cpuid:15",
        ],
        "forward": [
          "host · exit_cpuid:34",
          "host · exit_cpuid:33",
          "host · exit_cpuid:32",
          "host · exit_cpuid:31",
          "host · exit_cpuid:30",
          "host · exit_cpuid:27",
          "host · exit_cpuid:25",
          "host · exit_cpuid:20",
          "host · exit_cpuid:19",
          "host · exit_cpuid:17",
          "host · exit_cpuid:16",
          "host · exit_cpuid:15",
        ],
      }
    `);
  });

  test("out goes to the line of the call, and a frame starts again at its entry", async () => {
    await runTo([], ["count_cpuid"]);
    const { name } = await top();
    expect(name).toContain("count_cpuid");
    await go("next");
    const stop = await go("restartFrame", { frameId: 1 });
    expect(stop).toEqual(expect.objectContaining({ reason: "restart" }));
    expect((await top()).name).toContain("count_cpuid");
    await go("minvisor/reverse", { kind: "out" });
    expect((await top()).name).toContain("exit_cpuid");
  });

  test("a frame whose call is its function's last instruction, and one without unwind rules, start again", async () => {
    await runTo(["exit:CPUID"]);
    const restarted: string[] = [];
    for (const name of ["host · minvisor_main", "host · start64+0x22"]) {
      await go("minvisor/seek", { to: "end" });
      const { stackFrames } = await session.ask<{ stackFrames: { id: number; name: string }[] }>(
        "stackTrace",
        { threadId: 1 },
      );
      const frame = stackFrames.find((each) => each.name === name)!;
      const { description } = await go("restartFrame", { frameId: frame.id });
      restarted.push(`${description}: ${(await top()).name}`);
    }
    expect(restarted).toEqual([
      "Paused at the start of minvisor_main: host · minvisor_main",
      "Paused at the start of start64: host · start64",
    ]);
  });

  test("out by instruction goes to the call itself", async () => {
    await runTo([], ["count_cpuid"]);
    await session.ask("setFunctionBreakpoints", { breakpoints: [] });
    await go("next");
    await go("minvisor/reverse", { kind: "out", granularity: "instruction" });
    expect((await top()).name).toContain("exit_cpuid");
    const { rip } = machine().state;
    expect(machine().memory.peek(Number(rip), 1)).toEqual(Uint8Array.of(0xe8));
    await go("stepIn", { granularity: "instruction" });
    expect((await top()).name).toContain("count_cpuid");
  });
});

describe("by what stops", () => {
  test("reverse continue goes to the exit before, and to the beginning at last", async () => {
    await runTo(["exit:MSR"]);
    const seen: string[] = [];
    for (let i = 0; i < 5; i++) {
      seen.push(`${(await timeline()).exit} ${hash()}`);
      await go("continue");
    }
    for (const expected of seen.reverse()) {
      const stop = await go("reverseContinue");
      expect(stop.description).toMatch(/^Paused on #VMEXIT MSR/);
      expect(`${(await timeline()).exit} ${hash()}`).toBe(expected);
    }
    expect(await go("reverseContinue")).toMatchObject({ reason: "entry" });
    expect((await timeline()).icount).toBe(0);
  });

  test("data breakpoints hit backwards, on the instruction that wrote", async () => {
    await runTo([], ["exit_msr"]);
    await session.ask("setFunctionBreakpoints", { breakpoints: [] });
    for (let i = 0; i < 3; i++) await go("next");
    const { dataId } = await session.ask<{ dataId: string }>("dataBreakpointInfo", {
      name: "$vmcb.RIP",
    });
    await session.ask("setDataBreakpoints", { breakpoints: [{ dataId, accessType: "write" }] });
    const stop = await go("reverseContinue");
    expect(stop).toMatchObject({ reason: "data breakpoint" });
    const after = (await timeline()).icount;
    await go("reverseContinue");
    expect((await timeline()).icount).toBeLessThan(after);
  });
});

test("seeking to an icount, to exits, to both ends", async () => {
  await runTo(["exit:VMMCALL"], []);
  const end = await timeline();
  expect(end).toMatchObject({ isRecording: true, isInPast: false });
  const last = hash();
  await go("minvisor/seek", { icount: 20_000 });
  expect(await timeline()).toMatchObject({ isInPast: true, icount: 20_000, exits: end.exits });
  await go("minvisor/seek", { exit: 3 });
  expect(await timeline()).toMatchObject({ exit: 3 });
  expect(await labels()).toContainEqual(expect.stringMatching(/^#VMEXIT .* \(exit 3\)$/));
  await go("minvisor/seek", { to: "previousExit" });
  expect(await timeline()).toMatchObject({ exit: 2 });
  expect(await labels()).toContainEqual(expect.stringMatching(/^#VMEXIT .* \(exit 2\)$/));
  await go("minvisor/seek", { to: "end" });
  expect(hash()).toBe(last);
  await expect(session.ask("minvisor/seek", { exit: 999_999 })).rejects.toThrow(
    "There is no exit 999999",
  );
  await expect(session.ask("minvisor/seek", {})).rejects.toThrow("needs an icount");
});

test("the past is not changed by accident; a fork makes another future", async () => {
  await runTo(["exit:VMMCALL"], []);
  await go("minvisor/seek", { exit: 3 });
  const assign = { expression: "$rbx = 7", context: "repl" };
  await expect(session.ask("evaluate", assign)).rejects.toThrow("This is the past");
  await session.ask("minvisor/allowFork");
  await session.ask("evaluate", assign);
  expect(await timeline()).toMatchObject({ isInPast: false });
});

test("a session that does not record says so", async () => {
  await session.begin({ ...SAMPLE, recording: false, stopOnEntry: true });
  const stopped = session.next("stopped");
  await session.ask("configurationDone");
  await stopped;
  await expect(session.ask("stepBack", { threadId: 1 })).rejects.toThrow("does not record");
});

describe("the last writer", () => {
  test("of a VMCB field is the line that set it, of an exit's field the exit", async () => {
    await runTo(["exit:VMMCALL"]);
    const { exit } = await timeline();
    const byHost = await go("minvisor/lastWriter", { name: "$vmcb.nCR3" });
    expect(byHost).toMatchObject({ reason: "goto", text: expect.stringContaining("->") });
    expect((await top()).name).toMatch(/^host · /);
    expect((await timeline()).exit).toBe(0);
    await go("minvisor/seek", { to: "end" });
    const byExit = await go("minvisor/lastWriter", { name: "$vmcb.EXITCODE" });
    expect(byExit.description).toMatch(/was written last$/);
    expect((await timeline()).exit).toBe(exit);
  });

  test("of a guest's memory is whoever wrote it, by whatever address, and before it was a guest's", async () => {
    await runTo(["exit:VMMCALL"]);
    const image = await go("minvisor/lastWriter", { name: "gpa:0x7c00", bytes: 2 });
    expect(image.text).toMatch(/ by the host's instruction at .* <copy_forward.*: 0x0 -> 0xfcfa$/);
    expect((await timeline()).exit).toBe(0);
  });

  test("of a register that VMRUN loads is VMRUN, of an MSR that an exit loads the exit", async () => {
    await runTo(["exit:CPUID"]);
    await session.ask("setExceptionBreakpoints", { filters: [] });
    await session.ask("setFunctionBreakpoints", { breakpoints: [{ name: "event:vmrun" }] });
    await go("continue");
    const answer = await go("minvisor/lastWriter", { name: "$guest.rax" });
    expect(answer.text).toMatch(/ by the host's instruction at 0x[0-9a-f]+ <vmrun\+/);
    expect((await top()).name).toBe("host · vmrun");
    await go("minvisor/seek", { to: "previousExit" });
    const { exit } = await timeline();
    const loaded = await go("minvisor/lastWriter", { name: "$msr.EFER" });
    expect(loaded.text).toContain(` by #VMEXIT CPUID leaf 0x0 (exit ${exit}): `);
    expect((await timeline()).exit).toBe(exit);
    expect((await top()).name).toBe("host · vmrun");
    for (const name of ["msr:0xc0000080", "msr:EFER", "msr:efer"]) {
      await go("minvisor/seek", { to: "end" });
      await go("minvisor/seek", { to: "previousExit" });
      expect((await go("minvisor/lastWriter", { name })).text, name).toBe(loaded.text);
    }
    for (const command of ["minvisor/lastWriter", "minvisor/history"]) {
      const none = session.ask(command, { name: "msr:0x12345" });
      await expect(none, command).rejects.toThrow("The machine has no MSR 0x12345: ");
      const wrong = session.ask(command, { name: "msr:nonesuch" });
      await expect(wrong, command).rejects.toThrow(/msr:0xc0000080 or msr:EFER/);
    }
  });

  test("of a variable of C is found whatever the stack looks like, and nothing is said of what was never written", async () => {
    await runTo([], ["exit_msr"]);
    const { line } = await top();
    const stop = await go("minvisor/lastWriter", { name: "$rsp" });
    expect(stop.description).toBe("Paused where rsp of the host was written last");
    expect((await top()).line).toBeLessThanOrEqual(line);
    await go("minvisor/seek", { to: "end" });
    const never = await go("minvisor/lastWriter", { name: "hpa:0x1fff0000", bytes: 8 });
    expect(never.description).toBe("Nothing has written hpa:0x1fff0000 since reset");
    expect(await timeline()).toMatchObject({ isInPast: false });
  });
});
