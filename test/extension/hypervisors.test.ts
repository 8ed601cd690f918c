/** Which ELF file's symbols .inv files may name. */
import { expect, test } from "vitest";
import { hypervisors } from "../../extension/invariants/hypervisors.ts";

const FOLDERS = [
  { name: "start here", path: "/work/samples" },
  { name: "code", path: "/work/code" },
];
const launch = (kernel: unknown, cwd?: string, type = "minvisor") => ({ type, kernel, cwd });

test("the setting counts first, from the first folder", () => {
  const launches = [launch("/else.elf")];
  expect(hypervisors("build/a.elf", launches, FOLDERS)[0]?.program).toBe(
    "/work/samples/build/a.elf",
  );
  expect(hypervisors("/abs/a.elf", launches, FOLDERS)[0]?.program).toBe("/abs/a.elf");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: VS Code's own variable
  expect(hypervisors("${workspaceFolder:code}/a.elf", [], FOLDERS)[0]?.program).toBe(
    "/work/code/a.elf",
  );
});

test("without it, the first launch of ours that names a kernel", () => {
  const others = [launch("/no.elf", undefined, "cppdbg"), launch(undefined), launch("b.elf", "..")];
  expect(hypervisors("", others, FOLDERS)[0]?.program).toBe("/work/b.elf");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: VS Code's own variable
  const relative = launch("a/b.elf", "${workspaceFolder:start here}/..");
  expect(hypervisors("", [relative], FOLDERS)[0]?.program).toBe("/work/a/b.elf");
  expect(hypervisors("", [launch("c.elf")], FOLDERS)[0]?.program).toBe("/work/samples/c.elf");
  expect(hypervisors("", [], FOLDERS)).toEqual([]);
});

test("its sources are where the same launch says", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: VS Code's own variable
  const sourceMap = { ".": "${workspaceFolder:code}/src", "/build": "mine" };
  const first = { ...launch("b.elf", "/work/x"), sourceMap };
  const [one, other] = hypervisors("", [first, launch("c.elf")], FOLDERS);
  expect(one).toEqual({
    program: "/work/x/b.elf",
    sourceMap: { ".": "/work/code/src", "/build": "/work/x/mine" },
    invariantFiles: [],
  });
  expect(other?.program).toBe("/work/samples/c.elf");
  expect(hypervisors("a.elf", [first], FOLDERS)).toEqual([{ program: "/work/samples/a.elf" }]);
});

test("the .inv files that a launch names are about its hypervisor", () => {
  const named = { ...launch("b.elf", "/work/x"), invariantFiles: ["b.inv", "/abs/c.inv"] };
  expect(hypervisors("", [named], FOLDERS)[0]?.invariantFiles).toEqual([
    "/work/x/b.inv",
    "/abs/c.inv",
  ]);
});
