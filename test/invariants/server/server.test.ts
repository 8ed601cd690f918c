/** The language server over its protocol, as an editor speaks it. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LEGEND } from "../../../invariants/server/semantic-tokens.ts";
import { repository } from "../../tidy/sources.ts";
import { elfOf } from "../boot.ts";
import { Client } from "./client.ts";

const URI = "file:///no/such/folder/mine.inv";
const TEXT = `define in_hv(m: Leaf) "Touches it" = overlaps(m.range, hv.memory);
invariant mine on vmrun "Mine" :
  forall leaf in npt(vmcb.nCR3).leaves : !in_hv(leaf);
invariant wrong on vmrun : cpu.riip == 0;
invariant region on exit(NPF), call nested_pages_build : minvisor_region.start < sizeof(u64);
invariant built on call nested_pages_build : protected.start < limit;
`;

let client: Client;
beforeAll(async () => {
  client = await Client.start(
    { hypervisors: [{ program: join(repository, elfOf()) }] },
    pathToFileURL(repository).href,
  );
  await client.open(URI, TEXT);
});
afterAll(() => client.dispose());

const at = (text: string, into = 0) => client.at(URI, text, into);
const textDocument = { uri: URI };
const sourceUri = (path: string) => pathToFileURL(join(repository, path)).href;

interface Found {
  readonly uri: string;
  readonly range: { readonly start: { readonly line: number } };
}
const linesOf = (places: readonly Found[]) => places.map(({ range }) => range.start.line);

async function hover(text: string, into = 0): Promise<string> {
  const found = await client.ask<{ contents: { value: string } } | null>(
    "textDocument/hover",
    at(text, into),
  );
  return found?.contents.value ?? "";
}

/** Labels offered at the end of a text that is typed behind all others. */
async function offered(typed: string): Promise<string[]> {
  await client.replace(URI, TEXT + typed);
  const params = at(TEXT + typed, (TEXT + typed).length);
  const items = await client.ask<{ label: string }[]>("textDocument/completion", params);
  await client.replace(URI, TEXT);
  return items.map(({ label }) => label);
}

test("errors come as diagnostics at their place", async () => {
  expect(await client.problems(URI)).toMatchObject([
    {
      message: "Cpu has no member riip; did you mean rip?",
      range: { start: { line: 3, character: 31 } },
    },
  ]);
});

test("a misspelt name can be changed into what is meant", async () => {
  const { position } = at("riip");
  const range = { start: position, end: position };
  const context = { diagnostics: [] };
  const ask = (where: object) =>
    client.ask<object[]>("textDocument/codeAction", { textDocument, range: where, context });
  expect(await ask(range)).toMatchObject([
    { title: "Change to rip", edit: { changes: { [URI]: [{ newText: "rip" }] } } },
  ]);
  expect(await ask({ start: { line: 0, character: 0 }, end: { line: 1, character: 0 } })).toEqual(
    [],
  );
});

test("a misspelt event too", async () => {
  await client.replace(URI, "invariant a on vmrum : true;");
  const { position } = at("vmrum");
  const range = { start: position, end: position };
  const context = { diagnostics: [] };
  expect(
    await client.ask("textDocument/codeAction", { textDocument, range, context }),
  ).toMatchObject([{ title: "Change to vmrun" }]);
  await client.replace(URI, TEXT);
});

test("hover says type, meaning and section of what is built in, and what a definition says of itself", async () => {
  expect(await hover("nCR3")).toMatch(/Vmcb\.nCR3: integer[\s\S]+AMD manual/);
  expect(await hover("NPF")).toMatch(/NPF = 0x400/);
  expect(await hover("!in_hv", 2)).toMatch(/define in_hv\(m: Leaf\): boolean[\s\S]+Touches it\./);
  expect(await hover("vmrun")).toContain("Before VMRUN");
  expect(await hover("Leaf")).toMatch(/Leaf[\s\S]+\w/);
  expect(await hover("0;")).toBe("");
});

test("hover says what C says of the hypervisor's own names, where they lie and where they are declared", async () => {
  expect(await hover("minvisor_region")).toMatch(
    /```c\nconst struct range minvisor_region\n```\n\nAt hva:0x10[0-9a-f]{6}, 16 bytes, declared at \[minvisor\/main\.c:\d+\]\(file:.+\/minvisor\/main\.c#L\d+\)\./,
  );
  expect(await hover("region.start", 8)).toMatch(
    /```c\n\w+ start\n```\n\nAt offset 0x0 of struct range, 8 bytes, declared at \[minvisor\/minvisor\.h:\d+\]/,
  );
  expect(await hover("nested_pages_build")).toMatch(
    /```c\n\w.* \*?nested_pages_build\(.*protected/,
  );
  expect(await hover("limit")).toContain("A parameter of nested_pages_build");
  expect(await hover("u64")).toMatch(/typedef long unsigned int u64\n```\n\n8 bytes/);
});

test("definitions lead into C and assembly", async () => {
  const definition = (text: string, into = 0) =>
    client.ask<Found>("textDocument/definition", at(text, into));
  expect((await definition("!in_hv", 2)).range.start.line).toBe(0);
  expect(await definition("minvisor_region")).toMatchObject({ uri: sourceUri("minvisor/main.c") });
  expect(await definition("region.start", 8)).toMatchObject({
    uri: sourceUri("minvisor/minvisor.h"),
  });
  expect(await definition("nested_pages_build")).toMatchObject({
    uri: sourceUri("minvisor/nested_pages.c"),
  });
  await client.replace(URI, "invariant a on call vmrun_loop : true;");
  expect(await definition("vmrun_loop")).toBeNull();
  await client.replace(URI, "invariant a on call vmrun : true;");
  expect(await definition("call vmrun", 6)).toMatchObject({ uri: sourceUri("minvisor/vmrun.S") });
  await client.replace(URI, TEXT);
});

test("references and rename go together; a name that means something else there is refused", async () => {
  const params = { ...at("!in_hv", 2), context: { includeDeclaration: true } };
  expect(linesOf(await client.ask("textDocument/references", params))).toEqual([0, 2]);
  const rename = (text: string, into: number, newName: string) =>
    client.ask<{ changes: Record<string, object[]> }>("textDocument/rename", {
      ...at(text, into),
      newName,
    });
  expect((await rename("forall leaf", 8, "each")).changes[URI]).toHaveLength(2);
  await expect(rename("forall leaf", 8, "count")).rejects.toThrow("word of the language");
  await expect(rename("forall leaf", 8, "vmcb")).resolves.toBeDefined();
  await expect(rename("define in_hv", 8, "mine")).rejects.toThrow("has a meaning there already");
  await expect(rename("forall leaf", 8, "a b")).rejects.toThrow("is no name");
  await expect(rename("nCR3", 1, "other")).rejects.toThrow("nCR3 is declared in no file");
  expect(await client.ask("textDocument/prepareRename", at("nCR3"))).toBeNull();
});

test("completion knows what may stand where", async () => {
  expect(await offered("invariant x on vmrun : vmcb.")).toContain("nCR3");
  expect(await offered("invariant x on vmrun : vmcb.\ninvariant y on vmrun : true;")).toEqual([
    "invariant",
    "define",
    "memory",
  ]);
  expect(await offered("invariant x on vmrun : minvisor_region.")).toEqual(["start", "end"]);
  expect(
    await offered("invariant x on vmrun : (forall e in pages(host.cr3).entries : e.va"),
  ).toContain("value");
  const all = await offered("invariant x on vmrun : let mine_too = 1 : ");
  for (const name of [
    "mine_too",
    "in_hv",
    "vmcb",
    "disjoint",
    "NPF",
    "forall",
    "minvisor_region",
    "$vmcb",
  ])
    expect(all).toContain(name);
  expect(await offered("invariant x on exit(")).toContain("NPF");
  expect(await offered("invariant x on msr_write(")).toContain("EFER");
  for (const typed of ["define x(r: struct ", "invariant x on vmrun : sizeof(struct ra"]) {
    expect(await offered(typed)).toEqual(expect.arrayContaining(["range", "guest_registers"]));
    expect(await offered(typed)).not.toContain("u64");
  }
  expect(await offered("invariant x on exception(")).toEqual(expect.arrayContaining(["PF", "GP"]));
  expect(await offered("invariant x on exit, ")).toContain("npt_write");
  expect(await offered("invariant x on write(")).toContain("host");
  expect(await offered("invariant x on vmrun, write(join(hv.image, ")).toContain("vmcb");
  expect(await offered("invariant x on write(host.")).toContain("save_area");
  expect(await offered("invariant x on call ")).toContain("nested_pages_build");
  expect(await offered("invariant x on vmrun ")).toContain("after first vmrun");
  expect(await offered("define f(m: ")).toContain("Leaf");
  expect(await offered("define f ")).toEqual([]);
  expect(await offered("memory hv = 0..")).toEqual([]);
  const symbols = await offered("invariant x on vmrun : $");
  expect(symbols).toContain("vmcb");
  expect(symbols).not.toContain("disjoint");
  expect(await offered("// vmcb.")).toEqual([]);
  expect(await offered('invariant x on vmrun "vmcb.')).toEqual([]);
  const data = { name: "minvisor_region", path: new URL(URI).pathname };
  const symbol = { label: "minvisor_region", data };
  expect(await client.ask("completionItem/resolve", symbol)).toMatchObject({
    detail: "const struct range minvisor_region",
  });
});

test("symbols and formatting", async () => {
  const symbols = await client.ask<{ name: string }[]>("textDocument/documentSymbol", {
    textDocument,
  });
  expect(symbols.map(({ name }) => name)).toEqual(["in_hv", "mine", "wrong", "region", "built"]);
  const options = { tabSize: 2, insertSpaces: true };
  const edits = await client.ask<{ newText: string }[]>("textDocument/formatting", {
    textDocument,
    options,
  });
  expect(edits[0]?.newText).toContain("define in_hv(m: Leaf)");
});

/** Names with their kinds, as an editor that has the text makes them of numbers. */
function decoded(data: readonly number[]): string[] {
  const lines = TEXT.split("\n");
  let [line, character] = [0, 0];
  const found: string[] = [];
  for (let i = 0; i < data.length; i += 5) {
    const [down = 0, right = 0, length = 0, type = 0, modifiers = 0] = data.slice(i, i + 5);
    character = down === 0 ? character + right : right;
    line += down;
    const name = lines[line]?.slice(character, character + length);
    const said = LEGEND.tokenModifiers.filter((_, bit) => modifiers & (1 << bit));
    found.push([name, LEGEND.tokenTypes[type], ...said].join(" "));
  }
  return found;
}

test("semantic tokens tell what names stand for", async () => {
  const full = await client.ask<{ data: number[] }>("textDocument/semanticTokens/full", {
    textDocument,
  });
  const names = decoded(full.data);
  for (const name of [
    ...["in_hv function declaration", "m variable declaration", "Leaf type"],
    ...["mine class declaration", "vmrun event defaultLibrary", "in_hv function"],
    ...["vmcb variable defaultLibrary readonly", "nCR3 property defaultLibrary readonly"],
    ...["npt function defaultLibrary", "NPF enumMember defaultLibrary"],
    ...["minvisor_region variable static", "start property static"],
    ...["nested_pages_build function static", "limit parameter static", "u64 type"],
  ])
    expect(names).toContain(name);
  const range = { start: { line: 0, character: 0 }, end: { line: 1, character: 0 } };
  const first = await client.ask<{ data: number[] }>("textDocument/semanticTokens/range", {
    ...{ textDocument, range },
  });
  expect(decoded(first.data)).toEqual(names.slice(0, first.data.length / 5));
  expect(first.data.length).toBeLessThan(full.data.length);
});

test("the expression at a name is what a standing machine may be asked for", async () => {
  const expression = async (text: string, into = 0) =>
    (await client.ask<{ expression: string } | null>("minvisor/expressionAt", at(text, into)))
      ?.expression;
  expect(await expression("nCR3")).toBe("vmcb.nCR3");
  expect(await expression("leaves")).toBe("npt(vmcb.nCR3).leaves");
  expect(await expression("region.start", 8)).toBe("minvisor_region.start");
  expect(await expression("hv.memory", 4)).toBe("hv.memory");
  for (const text of ["m.range", "in_hv(leaf)", "limit", "nested_pages_build", "Leaf", "mine"])
    expect(await expression(text), text).toBeUndefined();
});

test("the ACL2 form is a book with the definitions that the invariant uses; without one the answer says why", async () => {
  const form = (uri: string, name: string) =>
    client.ask<{ text: string }>("minvisor/acl2Form", { uri, name });
  const { text } = await form(URI, "mine");
  expect(text).toContain("Tested, not proved");
  expect(text).toContain("(defdefinition |define in_hv|");
  expect(text).toContain("(definvariant |mine| :on (|vmrun|)");
  expect((await form("svm.inv", "npt_protects_hypervisor")).text).toContain("(definvariant");
  await expect(form(URI, "wrong")).rejects.toThrow("an error stands in it");
  await expect(form("file:///else.inv", "mine")).rejects.toThrow("there is no file /else.inv");
});
