/** Edits as they come while questions are asked: the server answers as a new one does that has the same texts. */

import { join } from "node:path";
import { expect, test } from "vitest";
import { type RandomFraction, randomFraction, testSeed } from "../../harness/random.ts";
import { readSource, repository } from "../../tidy/sources.ts";
import { elfOf } from "../boot.ts";
import { Client } from "./client.ts";

const SEED = testSeed();
const EDITS = 2000;
/** Edits between two comparisons. */
const STRETCH = 100;
const OPTIONS = { hypervisors: [{ program: join(repository, elfOf()) }] };
const URIS = ["file:///no/such/folder/a.inv", "file:///no/such/folder/b%20c.inv"] as const;
const WHOLE = readSource("minvisor/minvisor.inv");
const TEXTS = [
  WHOLE.slice(0, WHOLE.indexOf("invariant builder_is_called_rightly")),
  "define two = 2;\n",
];
const FRAGMENTS = [
  ...["invariant i on vmrun : ", "define d(m: Leaf) = ", "memory hv = 0..1;", ";", "two", "region"],
  ...[
    "vmcb.",
    "vmcb.nCR3",
    "$minvisor_region",
    "->",
    "forall m in npt(vmcb.nCR3).leaves : ",
    "m.gpa",
  ],
  ...[
    "let x = ",
    "x",
    " : ",
    "old(",
    ")",
    "(",
    "exit(NPF)",
    ", ",
    "call nested_pages_build",
    "limit",
  ],
  ...[
    '"',
    "/*",
    "*/",
    "//",
    "\n",
    "\r\n",
    "\u{1f600}",
    "\\",
    "0x",
    "1",
    " == ",
    " && ",
    "sizeof(u64)",
  ],
];
/** Each at a place of the file, or of it as a whole. */
const QUESTIONS = [
  ...["hover", "completion", "definition", "references", "prepareRename", "rename"],
  ...["documentSymbol", "formatting", "semanticTokens/full", "semanticTokens/range", "codeAction"],
].map((name) => `textDocument/${name}`);

const below = (next: RandomFraction, limit: number): number => Math.floor(next() * limit);
const pick = <T>(next: RandomFraction, from: readonly T[]): T =>
  from[below(next, from.length)] as T;

/** Between characters, and not within the two that end a line. */
function placeIn(next: RandomFraction, text: string): number {
  const at = below(next, text.length + 1);
  const isWithin = /^(?:\r\n|[\ud800-\udbff][\udc00-\udfff])/.test(text.slice(at - 1, at + 1));
  return isWithin ? at - 1 : at;
}

async function edit(next: RandomFraction, client: Client, index: number): Promise<void> {
  const uri = URIS[index] as string;
  const text = client.text(uri);
  if (next() < 0.03) return client.replace(uri, TEXTS[index] as string);
  const [a, b] = [placeIn(next, text), placeIn(next, text)].sort((x, y) => x - y) as [
    number,
    number,
  ];
  const isShort = b - a < 12 || next() < 0.05;
  const by = next() < 0.7 ? pick(next, FRAGMENTS) : "";
  return client.edit(uri, a, isShort ? b : a, by);
}

interface Question {
  readonly method: string;
  readonly params: object;
}

function question(next: RandomFraction, client: Client): Question {
  const uri = pick(next, URIS);
  const text = client.text(uri);
  const at = client.position(uri, placeIn(next, text));
  const range = { start: at, end: client.position(uri, text.length) };
  const params = {
    ...{ textDocument: { uri }, position: at, range, newName: pick(next, ["two", "fresh", "m"]) },
    ...{ context: { includeDeclaration: true, diagnostics: [] }, options: { tabSize: 2 } },
  };
  return { method: pick(next, QUESTIONS), params };
}

/** What is answered; a refusal is an answer too. */
const answer = async (client: Client, { method, params }: Question): Promise<unknown> => {
  try {
    return await client.ask(method, params);
  } catch (error) {
    const { code, message } = error as { code?: number; message: string };
    if (code !== -32803) throw error; // RequestFailed
    return message;
  }
};

async function withTexts(texts: readonly string[]): Promise<Client> {
  const client = await Client.start(OPTIONS);
  for (const [i, uri] of URIS.entries()) await client.open(uri, texts[i] as string);
  return client;
}

async function sameAsNew(next: RandomFraction, client: Client, label: string): Promise<void> {
  const fresh = await withTexts(URIS.map((uri) => client.text(uri)));
  for (const uri of URIS) {
    expect(await client.problems(uri), label).toEqual(await fresh.problems(uri));
  }
  for (let i = 0; i < 30; i++) {
    const asked = question(next, client);
    const [ours, theirs] = await Promise.all([answer(client, asked), answer(fresh, asked)]);
    expect(ours, `${label}: ${JSON.stringify(asked)}`).toEqual(theirs);
  }
  fresh.dispose();
}

test(`${EDITS} edits with questions between them (seed ${SEED})`, async () => {
  const next = randomFraction(SEED);
  const client = await withTexts(TEXTS);
  let waiting: Promise<unknown>[] = [];
  for (let i = 1; i <= EDITS; i++) {
    await edit(next, client, next() < 0.8 ? 0 : 1);
    if (next() < 0.3) waiting.push(answer(client, question(next, client)));
    if (i % STRETCH > 0) continue;
    await Promise.all(waiting);
    waiting = [];
    await sameAsNew(next, client, `seed ${SEED}, edit ${i}`);
  }
  client.dispose();
}, 240_000);
