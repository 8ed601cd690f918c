// Every request of the table has an exchange that succeeds and one that fails in some golden transcript.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { REQUESTS } from "../../../debug-adapter/requests/table.ts";
import { inRepository } from "../../harness/dap-adapter.ts";

/** Requests without an exchange that fails, and why there can be none. */
const CANNOT_FAIL: Readonly<Record<string, string>> = {
  cancel: "what it names may have ended already, which is no error",
  threads: "it takes nothing, and before launch there are none",
  "minvisor/exitCodes": "it takes nothing, and the manual's table is always there",
};

interface Exchanges {
  readonly happy: ReadonlySet<string>;
  readonly failing: ReadonlySet<string>;
}

function exchangesOf(transcripts: readonly string[]): Exchanges {
  const [happy, failing] = [new Set<string>(), new Set<string>()];
  for (const text of transcripts) {
    for (const exchange of text.split(/^-> /m).slice(1)) {
      const [command = ""] = exchange.split(" ");
      (/^<- failed: /m.test(exchange) ? failing : happy).add(command);
    }
  }
  return { happy, failing };
}

const folder = inRepository("test/debug-adapter");
const goldens = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".golden.txt"))
  .map((path) => readFileSync(join(folder, path), "utf8"));
const { happy, failing } = exchangesOf(goldens);

test.each(Object.keys(REQUESTS))("%s", (command) => {
  expect(happy, "succeeds").toContain(command);
  if (CANNOT_FAIL[command] === undefined) expect(failing, "fails").toContain(command);
  else expect(failing, `${CANNOT_FAIL[command]}`).not.toContain(command);
});

test("an exchange that is missing is seen", () => {
  const found = exchangesOf(["-> a {}\n<- x: 1\n-> b {}\n<- failed: No.\n-> c {}\n"]);
  expect([...found.happy]).toEqual(["a", "c"]);
  expect([...found.failing]).toEqual(["b"]);
});
