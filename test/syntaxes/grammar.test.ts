// The TextMate grammars: scopes asserted line by line, and on MinVisor's own files.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository, sourceFiles } from "../tidy/sources.ts";

const tool = (name: string): string =>
  join(repository, "node_modules", "vscode-tmgrammar-test", "dist", name);

function run(file: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [tool(file), ...args], {
    cwd: repository,
    encoding: "utf8",
  });
  return { status, said: `${stdout}${stderr}` };
}

test.each(["assembly.test.S", "invariants.test.inv", "exits.test.exits"])(
  "scopes are those that %s asserts",
  (file) => {
    const { status, said } = run("unit.js", [`test/syntaxes/${file}`]);
    expect(status, said).toBe(0);
  },
);

test("a wrong assertion is found", () => {
  const { status, said } = run("unit.js", ["test/syntaxes/wrong-assertion.S"]);
  expect(said).toContain("keyword.mnemonic.gnu-x86");
  expect(status).not.toBe(0);
});

test("every assembly file of ours is of this language", () => {
  const files = sourceFiles([".S"]).filter((file) => file.startsWith("minvisor/"));
  expect(files.length).toBeGreaterThan(2);
});
