/** Which ELF file's symbols .inv files may name. */
import { expect, test } from "vitest";
import { hypervisorProgram } from "../../extension/invariants/hypervisor-program.ts";

const FOLDERS = [
  { name: "start here", path: "/work/samples" },
  { name: "code", path: "/work/code" },
];
const launch = (kernel: unknown, cwd?: string, type = "minvisor") => ({ type, kernel, cwd });

test("the setting counts first, from the first folder", () => {
  const launches = [launch("/else.elf")];
  expect(hypervisorProgram("build/a.elf", launches, FOLDERS).program).toBe(
    "/work/samples/build/a.elf",
  );
  expect(hypervisorProgram("/abs/a.elf", launches, FOLDERS).program).toBe("/abs/a.elf");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: VS Code's own variable
  expect(hypervisorProgram("${workspaceFolder:code}/a.elf", [], FOLDERS).program).toBe(
    "/work/code/a.elf",
  );
});

test("without it, the first launch of ours that names a kernel", () => {
  const others = [launch("/no.elf", undefined, "cppdbg"), launch(undefined), launch("b.elf", "..")];
  expect(hypervisorProgram("", others, FOLDERS).program).toBe("/work/b.elf");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: VS Code's own variable
  const relative = launch("a/b.elf", "${workspaceFolder:start here}/..");
  expect(hypervisorProgram("", [relative], FOLDERS).program).toBe("/work/a/b.elf");
  expect(hypervisorProgram("", [launch("c.elf")], FOLDERS).program).toBe("/work/samples/c.elf");
  expect(hypervisorProgram("", [], FOLDERS)).toEqual({});
});

test("its sources are where the same launch says", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: VS Code's own variable
  const sourceMap = { ".": "${workspaceFolder:code}/src", "/build": "mine" };
  const first = { ...launch("b.elf", "/work/x"), sourceMap };
  expect(hypervisorProgram("", [first, launch("c.elf")], FOLDERS)).toEqual({
    program: "/work/x/b.elf",
    sourceMap: { ".": "/work/code/src", "/build": "/work/x/mine" },
  });
  expect(hypervisorProgram("a.elf", [first], FOLDERS)).toEqual({ program: "/work/samples/a.elf" });
});
