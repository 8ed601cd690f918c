/** Which .inv files belong together, what is shipped with them, and programs that cannot be read. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SHIPPED_INVARIANTS } from "../../../invariants/shipped.ts";
import { MINVISOR_ELF, PAE_HYPERVISOR } from "../../../scripts/build-minvisor.mjs";
import { build, compile } from "../../symbols/toolchain.ts";
import { repository } from "../../tidy/sources.ts";
import { Client } from "./client.ts";

let folder: string;
let client: Client;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "minvisor-inv-"));
  mkdirSync(join(folder, "other"));
  client = await Client.start({});
});
afterEach(() => {
  client.dispose();
  rmSync(folder, { recursive: true });
});

const uri = (name: string) => pathToFileURL(join(folder, name)).href;
const save = (name: string, text: string) => writeFileSync(join(folder, name), text);

test("files of a folder share their definitions, open or not; those of another folder do not", async () => {
  save("words.inv", "define two = 2;\n");
  save("other/more.inv", "define three = 3;\n");
  const use = "invariant a on vmrun : two == 2;\ninvariant b on vmrun : three == 3;\n";
  await client.open(uri("use.inv"), use);
  expect(await client.problems(uri("use.inv"))).toMatchObject([
    { message: expect.stringContaining("There is no name three") },
  ]);
  const definition = await client.ask("textDocument/definition", client.at(uri("use.inv"), "two"));
  expect(definition).toMatchObject({ uri: uri("words.inv"), range: { start: { line: 0 } } });
  const renamed = await client.ask<{ changes: object }>("textDocument/rename", {
    ...client.at(uri("use.inv"), "two"),
    newName: "pair",
  });
  expect(Object.keys(renamed.changes).sort()).toEqual([uri("use.inv"), uri("words.inv")]);

  await client.open(uri("words.inv"), "define zwei = 2;\n");
  expect(await client.problems(uri("use.inv"))).toHaveLength(2);
  await client.tell("textDocument/didClose", { textDocument: { uri: uri("words.inv") } });
  expect(await client.problems(uri("use.inv"))).toHaveLength(1);

  save("words.inv", "define zwei = 2;\ndefine broken = ;\n");
  await client.tell("workspace/didChangeWatchedFiles", {
    changes: [{ uri: uri("words.inv"), type: 2 }],
  });
  expect(await client.problems(uri("use.inv"))).toHaveLength(2);
  expect(client.diagnostics.get(uri("words.inv"))).toHaveLength(1);
  await client.tell("textDocument/didClose", { textDocument: { uri: uri("use.inv") } });
  await client.ask("textDocument/documentSymbol", { textDocument: { uri: uri("use.inv") } });
  expect(client.diagnostics.get(uri("words.inv"))).toEqual([]);
});

test("what is shipped is there, can be looked at and is not renamed", async () => {
  const [shipped] = SHIPPED_INVARIANTS;
  const name = /^define (\w+)/m.exec(shipped?.text ?? "")?.[1] ?? "";
  const mine = uri("mine.inv");
  await client.open(mine, `invariant a on vmrun : ${name};\n`);
  const found = await client.ask("textDocument/definition", client.at(mine, name));
  const own = `minvisor-invariants:/${shipped?.path}`;
  expect(found).toMatchObject({ uri: own });
  expect(await client.ask("minvisor/shippedText", { uri: own })).toMatchObject({
    text: shipped?.text,
  });
  expect(
    await client.ask("minvisor/shippedText", { uri: "minvisor-invariants:/no.inv" }),
  ).toBeNull();
  await expect(
    client.ask("textDocument/rename", { ...client.at(mine, name), newName: "other" }),
  ).rejects.toThrow("declared in no file of this folder");
  // Its document, opened from there, is the shipped file and not another of its names.
  await client.open(own, shipped?.text ?? "");
  expect(await client.problems(own)).toEqual([]);
});

test("any hypervisor's names are known: a 32-bit one, in DWARF 4", async () => {
  await client.tell("minvisor/setHypervisors", {
    hypervisors: [{ program: join(repository, PAE_HYPERVISOR) }],
  });
  const mine = uri("ward.inv");
  await client.open(mine, "invariant a on vmrun : ward_vmcb.;\ninvariant b on exitt : true;\n");
  const items = await client.ask<{ label: string; detail: string }[]>(
    "textDocument/completion",
    client.at(mine, "ward_vmcb.", 10),
  );
  expect(items.length).toBeGreaterThan(0);
  const { label = "" } = items.find(({ detail }) => detail.startsWith("u")) ?? {};
  await client.replace(mine, `invariant a on vmrun : $ward_vmcb.${label} == 0;\n`);
  expect(await client.problems(mine)).toEqual([]);
  const hover = await client.ask<{ contents: { value: string } }>(
    "textDocument/hover",
    client.at(mine, "ward_vmcb"),
  );
  expect(hover.contents.value).toMatch(
    /struct vmcb ward_vmcb\n```\n\nAt hva:0x[0-9a-f]{8}, 4096 bytes, declared at \[test\/guests\/pae-hypervisor\/warden\.c:\d+\]/,
  );
});

test("files of a folder are about the hypervisor whose launch names one of them, others about the first", async () => {
  const programs = [MINVISOR_ELF, PAE_HYPERVISOR].map((path) => join(repository, path));
  const [first, second] = programs as [string, string];
  const [own, beside, other] = [uri("ward/a.inv"), uri("ward/b.inv"), uri("c.inv")];
  const invariantFiles = [join(folder, "ward/a.inv")];
  await client.tell("minvisor/setHypervisors", {
    hypervisors: [{ program: first }, { program: second, invariantFiles }],
  });
  for (const [each, name] of [
    [own, "a"],
    [beside, "b"],
  ] as const) {
    await client.open(each, `invariant ${name} on vmrun : $the_ward.exits == 0;\n`);
    expect(await client.problems(each)).toEqual([]);
  }
  await client.open(other, "invariant a on vmrun : $minvisor_region.start == 0;\n");
  expect(await client.problems(other)).toEqual([]);
  const hover = await client.ask<{ contents: { value: string } }>(
    "textDocument/hover",
    client.at(own, "the_ward"),
  );
  expect(hover.contents.value).toContain("struct ward the_ward");
});

test("definitions lead to where the sources are by the launch's source map", async () => {
  const [mine, kernel] = [uri("mine.inv"), join(repository, MINVISOR_ELF)];
  mkdirSync(join(folder, "moved/minvisor"), { recursive: true });
  save("moved/minvisor/main.c", "// elsewhere\n");
  await client.open(mine, "invariant a on vmrun : $minvisor_region.start == 0;\n");
  const definition = async (sourceMap: { readonly [from: string]: string }) => {
    await client.tell("minvisor/setHypervisors", {
      hypervisors: [{ program: kernel, sourceMap }],
    });
    return client.ask("textDocument/definition", client.at(mine, "minvisor_region"));
  };
  const moved = { uri: uri("moved/minvisor/main.c") };
  expect(await definition({})).toMatchObject({
    uri: pathToFileURL(join(repository, "minvisor/main.c")).href,
  });
  expect(await definition({ ".": `${folder}/moved/` })).toMatchObject(moved);
  expect(
    await definition({ ".": "/nowhere", minvisor: `${folder}/other/../moved/minvisor` }),
  ).toMatchObject(moved);
  expect(await definition({ ".": folder })).toBeNull();
});

test("a program that is missing, damaged or without debug information is the reason at each unknown name", async () => {
  const mine = uri("mine.inv");
  await client.open(mine, "invariant a on vmrun, call build_it : counters == 0;\n");
  const reasons = async (program: string) => {
    await client.tell("minvisor/setHypervisors", { hypervisors: [{ program }] });
    const problems = await client.problems(mine);
    expect(problems.map(({ range }) => range.start.character)).toEqual([27, 38]);
    const [first, second] = problems.map(({ message }) => String(message).split("are known: ")[1]);
    expect(first).toBe(second);
    return first;
  };
  const missing = join(folder, "none.elf");
  expect(await reasons(missing)).toBe(
    `${missing} cannot be read: build it, or set minvisor.invariants.program.`,
  );
  save("damaged.elf", "\x7fELF, but not for long");
  expect(await reasons(join(folder, "damaged.elf"))).toMatch(/damaged\.elf/);
  const { path } = compile(build(64, 5, "-O0", "-g0"));
  expect(await reasons(path)).toBe(`${path} has no debug information: compile it with -g.`);
});
