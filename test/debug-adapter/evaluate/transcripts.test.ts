// Evaluate, setExpression, setVariable and completions as a foreign client sees them.
import type { DebugProtocol } from "@vscode/debugprotocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type AdapterClient, startClient } from "../../harness/dap-adapter.ts";
import { Transcript } from "../../harness/dap-transcript.ts";

let client: AdapterClient;
let transcript: Transcript;
let frames: readonly DebugProtocol.StackFrame[];

beforeEach(async () => {
  client = await startClient();
  await client.begin();
  await client.setFunctionBreakpointsRequest({ breakpoints: [{ name: "exit_cpuid" }] });
  await client.configurationDoneRequest();
  await client.nextStop();
  transcript = new Transcript(client);
  frames = await client.frames();
});
afterEach(() => client.stop());

const frameOf = (name: string): number => frames.find((each) => each.name.endsWith(name))?.id ?? 0;

test("values of expressions", async () => {
  const expressions = [
    ...["sizeof(exit_table) / sizeof *exit_table", "exit_table[0].name", "exit_table[1]"],
    ...[
      "exit_table[0].handle == exit_cpuid",
      "exit_table[0].handle",
      "&exit_table[2]",
      "guest.rcx",
    ],
    ...["(struct exit *)&exit_table[3]", "((struct exit *)&exit_table[3])->name", "guest"],
    ...['exit_table[0].name == "CPUID"', "(char)guest.rdx", "(u32)-1", "-1", "1 << 31", "1.5f * 3"],
    ...["vmcb", "vmcb.control.exit_code", "vmcb.EXITCODE", "$vmcb.exitcode", "vmcb.CS.base"],
    ...["$vmcb.INTERCEPT_MISC1.CPUID", "vmcb.save.cs", "vmcb.save.rip == $vmcb.rip ? 1 : 2"],
    ...["$cs", "$cs.base", "$rflags.ZF", "$cr0.PG", "$al", "$msr.EFER", "$msr[0xc0000080].SVME"],
    ...[
      "$guest.rax",
      "$guest.rip",
      "$host.cr3 == $cr3",
      "reason",
      "leaf",
      "$exit.code",
      "$exit",
      "minvisor!guest.rdx",
    ],
    ...["'exit.c'::exit_table[4].name", "@hpa(0x7c00)", "@gpa(0x7c00, 2)", "gva:0x7c00"],
    ...["(u16)@hpa(0x7c00)", "((u8 *)@hpa(0x7c00))[1]", "(struct range)@hpa(&minvisor_region)"],
    ...["'A' + 1", "$xmm0", "options.intercept_hlt", "EXIT_NPF", "(enum verdict)1"],
  ];
  for (const expression of expressions) {
    const frameId = frameOf("handle_exit");
    await transcript.ask("evaluate", { expression, frameId, context: "watch" });
  }
  await expect(transcript.text).toMatchFileSnapshot("./values.golden.txt");
});

test("what has no value says why", async () => {
  const frameId = frameOf("handle_exit");
  const expressions = [
    ...[
      "nonesuch",
      "guest.rcx +",
      "1 / 0",
      "1 << 32",
      "guest.rcx >> 64ul",
      "*guest.rcx",
      "guest.nonesuch",
    ],
    ...["*(int *)0xdead0000000", "exit_table[99]", "(struct nonesuch *)0", "struct exit", "u64"],
    ...[
      "(struct exit)1",
      "$rcx",
      "$nonesuch",
      "exit_cpuid()",
      "guest == 1",
      "guest.rcx = 1",
      "guest.rcx++",
    ],
    ...[
      '"text" + 1',
      "@gpa(0, 99)",
      "@hpa(0xffffffffff0)",
      "&code == &$rax",
      "&$rip",
      "$guest.r99",
    ],
    ...[
      "exit_table[0].name == 3.5",
      "(u8)300.5",
      "minvisor!nonesuch",
      "*(void *)0",
      "$exit.nonesuch",
      "guest.rcx.",
    ],
  ];
  for (const expression of expressions) {
    await transcript.ask("evaluate", { expression, frameId, context: "watch" });
  }
  for (const context of ["hover", "clipboard", "variables"]) {
    await transcript.ask("evaluate", { expression: "guest.rcx = 1", frameId, context });
  }
  await transcript.ask("evaluate", { expression: "1 +* 2", frameId, context: "hover" });
  await transcript.ask("evaluate", { expression: "1", frameId: 99 });
  await expect(transcript.text).toMatchFileSnapshot("./errors.golden.txt");
});

test("assignments in the debug console", async () => {
  const frameId = frameOf("handle_exit");
  const assignments = [
    ...["guest.rcx = 0x1234", "guest.rcx += 1", "guest.rcx++", "guest.rcx", "guest.rbx = -1"],
    ...["options.intercept_hlt = 1", "options.intercept_hlt", "exit_table[0].handle = exit_hlt"],
    ...[
      "exit_table[0].handle",
      "vmcb.control.exit_code = 0x7b",
      "$vmcb.exitcode",
      "vmcb.GUEST_ASID = 3",
    ],
    ...[
      "vmcb.GUEST_ASID",
      "vmcb.CS.limit = 0x1000",
      "vmcb.CS",
      "vmcb.VINTR.V_TPR = 15",
      "vmcb.VINTR",
    ],
    ...["$guest.rax = 5", "$guest.rax", "$guest.rcx = 1", "$msr.LSTAR = 0x8000", "$msr.LSTAR"],
    ...[
      "$msr.EFER = 0xffffffff",
      "$msr.PATCH_LEVEL = 1",
      "@hpa(0x7c00, 2) = 0xcafe",
      "@gpa(0x7c00, 4)",
    ],
    ...[
      "*(u8 *)0x7c00 <<= 1",
      "@hpa(0x7c00, 1)",
      "guest = guest",
      "i = 99",
      "code = 0x100000000ul",
    ],
    ...[
      "vmcb.control.tlb_control = 0x100000000",
      "1 = 2",
      "exit_cpuid = 1",
      "guest.rdx = nonesuch",
      "guest.rdx = guest",
    ],
    ...["'exit.c'::exit_table[1].name = 0", "@hpa(0xffffffffff0) = 1", "$rbx = 7", "acpi = guest"],
  ];
  for (const expression of assignments) {
    await transcript.ask("evaluate", { expression, frameId, context: "repl" });
  }
  const inner = 1;
  const registers = [
    ...["$rcx = 0x1122334455667788", "$cl = 0xff", "$ch = 0", "$ecx = 1", "$rcx", "$al = 256"],
    ...[
      "$rflags.CF = 1",
      "$rflags.CF",
      "$xmm3 = 0x1ffffffffffffffff",
      "$xmm3 >> 64",
      "$xmm3 + 1",
      "$cs.selector",
      "$ds.limit = 5",
    ],
    ...["$ds.limit", "$cr2 = 0x123", "$cr2"],
  ];
  for (const expression of registers) {
    await transcript.ask("evaluate", { expression, frameId: inner, context: "repl" });
  }
  await expect(transcript.text).toMatchFileSnapshot("./assignments.golden.txt");
});

test("values set in a watch and in the variables view", async () => {
  const frameId = frameOf("handle_exit");
  const set = (expression: string, value: string) =>
    transcript.ask("setExpression", { expression, value, frameId });
  await set("guest.rdi", "guest.rdi + 0x10");
  await set("vmcb.control.tlb_control", "1");
  await set("options.intercept_hlt", "true");
  await set("vmcb.RAX", "'A'");
  await set("guest.rdi", "guest.rdi +");
  await set("guest.rdi + 1", "1");
  await set("nonesuch", "1");
  await set("guest", "1");
  const locals = await client.scope(frameId, "Locals");
  transcript.note(
    "locals",
    [...locals.values()].map(({ name, evaluateName }) => [name, evaluateName]),
  );
  const { variablesReference } = (await client.evaluateRequest({ expression: "guest", frameId }))
    .body;
  await transcript.ask("setVariable", { variablesReference, name: "rsi", value: "0x77" });
  await transcript.ask("setVariable", { variablesReference, name: "rsi", value: "nonesuch" });
  await transcript.ask("setVariable", { variablesReference, name: "none", value: "1" });
  await transcript.ask("variables", { variablesReference });
  const rows = await client.evaluateRequest({ expression: "exit_table", frameId });
  await transcript.ask("variables", {
    variablesReference: rows.body.variablesReference,
    start: 2,
    count: 2,
  });
  await expect(transcript.text).toMatchFileSnapshot("./setting.golden.txt");
});

test("completions", async () => {
  const frameId = frameOf("handle_exit");
  const ask = (text: string, line?: number) =>
    transcript.ask("completions", {
      text,
      column: (text.split("\n").at(-1) ?? "").length + 1,
      frameId,
      ...(line === undefined ? {} : { line }),
    });
  for (const text of [
    "$rf",
    "$cr0.P",
    "$exit.exitinfo",
    "$cs.",
    "$msr.st",
    "$guest.ra",
    "vmcb.EXITI",
    "vmcb.VINTR.",
  ]) {
    await ask(text);
  }
  for (const text of ["exit_table[0].", "guest.rd", "1 + (&exit_table[1])->n", "exit_cp", "lea"]) {
    await ask(text);
  }
  for (const text of [
    "(struct ra",
    "(struct exit *)",
    "minvisor!exit_n",
    "@",
    "EXIT_N",
    "transl",
    "nonesuch.",
  ]) {
    await ask(text);
  }
  await ask('exit_table[0].name == "exit_c');
  await ask("guest.rcx\nguest.rd", 2);
  const all = await client.completionsRequest({ text: "", column: 1, frameId });
  expect(all.body.targets).toHaveLength(200);
  await expect(transcript.text).toMatchFileSnapshot("./completions.golden.txt");
});
