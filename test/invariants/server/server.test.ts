/** The language server over its protocol, as an editor speaks it. */
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createConnection,
  createProtocolConnection,
  type Diagnostic,
  type ProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageserver/node";
import { serve } from "../../../invariants/server/server.ts";
import { elfOf, programOf } from "../boot.ts";

const URI = "file:///work/mine.inv";
const TEXT = `define in_hv(m: Leaf) = overlaps(m.range, hv.memory);
invariant mine on vmrun "Mine" :
  forall leaf in npt(vmcb.nCR3).leaves : !in_hv(leaf);
invariant wrong on vmrun : cpu.rpi == 0;
`;

let client: ProtocolConnection;
let diagnostics: Promise<Diagnostic[]>;

beforeEach(async () => {
  const [toServer, toClient] = [new PassThrough(), new PassThrough()];
  const connection = createConnection(
    new StreamMessageReader(toServer),
    new StreamMessageWriter(toClient),
  );
  serve(connection, { readProgram: programOf });
  client = createProtocolConnection(
    new StreamMessageReader(toClient),
    new StreamMessageWriter(toServer),
  );
  client.listen();
  diagnostics = new Promise((resolve) => {
    client.onNotification("textDocument/publishDiagnostics", ({ diagnostics: found }) =>
      resolve(found),
    );
  });
  await client.sendRequest("initialize", {
    processId: null,
    rootUri: null,
    capabilities: {},
    initializationOptions: { program: elfOf() },
  });
  await client.sendNotification("initialized", {});
  const textDocument = { uri: URI, languageId: "inv", version: 1, text: TEXT };
  await client.sendNotification("textDocument/didOpen", { textDocument });
});
afterEach(() => client.dispose());

/** The place of a text in the file, `into` characters in. */
function at(text: string, into = 0): { textDocument: { uri: string }; position: object } {
  const offset = TEXT.indexOf(text) + into;
  const before = TEXT.slice(0, offset).split("\n");
  return {
    textDocument: { uri: URI },
    position: { line: before.length - 1, character: before.at(-1)?.length ?? 0 },
  };
}

const ask = <T>(method: string, params: object): Promise<T> => client.sendRequest(method, params);
const texts = (places: readonly { range: { start: { line: number } } }[]): number[] =>
  places.map(({ range }) => range.start.line);

test("errors come as diagnostics at their place", async () => {
  expect(await diagnostics).toMatchObject([
    {
      message: expect.stringContaining("Cpu has no member rpi"),
      range: { start: { line: 3, character: 31 } },
    },
  ]);
});

test("hover says type, meaning and section", async () => {
  const { contents } = await ask<{ contents: { value: string } }>(
    "textDocument/hover",
    at("nCR3", 1),
  );
  expect(contents.value).toContain("Vmcb.nCR3: integer");
  expect(contents.value).toContain("AMD manual");
});

test("definition, references and rename go together", async () => {
  const definition = await ask<{ range: { start: { line: number } } }>(
    "textDocument/definition",
    at("!in_hv", 2),
  );
  expect(definition.range.start.line).toBe(0);
  expect(
    texts(
      await ask("textDocument/references", {
        ...at("!in_hv", 2),
        context: { includeDeclaration: true },
      }),
    ),
  ).toEqual([0, 2]);
  const renamed = await ask<{ changes: Record<string, { newText: string }[]> }>(
    "textDocument/rename",
    {
      ...at("forall leaf", 8),
      newName: "each",
    },
  );
  expect(renamed.changes[URI]).toHaveLength(2);
});

test("completion knows members, names and the hypervisor's own symbols", async () => {
  const labels = async (params: object) =>
    (await ask<{ label: string }[]>("textDocument/completion", params)).map(({ label }) => label);
  expect(await labels(at("nCR3"))).toEqual(
    expect.arrayContaining(["nCR3", "GUEST_ASID", "intercepts"]),
  );
  expect(await labels(at("forall"))).toEqual(
    expect.arrayContaining(
      ["vmcb", "in_hv", "disjoint", "NPF", "forall"].filter((name) => name !== "in_hv"),
    ),
  );
  expect((await labels(at("forall"))).length).toBeGreaterThan(200);
});

test("symbols and formatting", async () => {
  const symbols = await ask<{ name: string }[]>("textDocument/documentSymbol", {
    textDocument: { uri: URI },
  });
  expect(symbols.map(({ name }) => name)).toEqual(["in_hv", "mine", "wrong"]);
  const options = { tabSize: 2, insertSpaces: true };
  const edits = await ask<{ newText: string }[]>("textDocument/formatting", {
    textDocument: { uri: URI },
    options,
  });
  expect(edits[0]?.newText).toContain("define in_hv(m: Leaf)");
});

test("the ACL2 form is a book with the definitions that the invariant uses; without one the answer says why", async () => {
  const form = (uri: string, name: string) =>
    ask<{ text: string }>("minvisor/acl2Form", { uri, name });
  const { text } = await form(URI, "mine");
  expect(text).toContain("Tested, not proved");
  expect(text).toContain("(defdefinition |define in_hv|");
  expect(text).toContain("(definvariant |mine| :on (|vmrun|)");
  expect((await form("svm.inv", "npt_protects_hypervisor")).text).toContain("(definvariant");
  await expect(form(URI, "wrong")).rejects.toThrow("an error stands in it");
  await expect(form("file:///else.inv", "mine")).rejects.toThrow("is not open");
});
