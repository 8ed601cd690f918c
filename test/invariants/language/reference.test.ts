// Every example of docs/invariants.md is checked, against MinVisor's own names; wrong ones say what is quoted.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ProgramNames } from "../../../invariants/language/declarations.ts";
import { check, format, parse, variablesAt } from "../../../invariants/language/index.ts";
import { lineColumn } from "../../../invariants/language/line-column.ts";
import { EVENT_NAMES } from "../../../invariants/language/syntax.ts";
import { BUILT_INS } from "../../../invariants/model/index.ts";
import { SHIPPED_INVARIANTS } from "../../../invariants/shipped.ts";
import { repository } from "../../tidy/sources.ts";
import { elfOf, programOf } from "../boot.ts";

const page = readFileSync(join(repository, "docs/invariants.md"), "utf8");
const blocks = [...page.matchAll(/^```inv\n([\s\S]*?)^```$/gm)].map(([, text], i) => ({
  text: text ?? "",
  title: `${i + 1}: ${(text ?? "").split("\n")[0]}`,
}));
const program = programOf(elfOf());

function checked(text: string) {
  const { file, diagnostics } = parse(text);
  return check([{ path: "a.inv", file, diagnostics }], BUILT_INS, program)[0];
}

describe("examples of the reference page", () => {
  test.each(blocks)("$title", ({ text }) => {
    const quoted = [...text.matchAll(/^\/\/ (error|warning): (.*)$/gm)].map(
      ([, severity, message]) => ({ severity, message }),
    );
    const said = (checked(text)?.diagnostics ?? []).map(({ severity, message }) => {
      return { severity, message };
    });
    expect(said).toEqual(quoted);
    const isWrong = quoted.some(({ severity }) => severity === "error");
    if (!isWrong) expect(format(text)).toBe(text);
  });
});

test("the page names every global and function that is built in, and every event", () => {
  const names = [...BUILT_INS.globals.keys(), ...BUILT_INS.functions.keys(), ...EVENT_NAMES];
  expect(names.filter((name) => !new RegExp(`\`[^\`]*\\b${name}\\b[^\`]*\``).test(page))).toEqual(
    [],
  );
});

test("no line of the page's prose is longer than 120 characters", () => {
  const prose = page.replace(/^```inv\n[\s\S]*?^```$/gm, "").split("\n");
  expect(prose.filter((line) => line.length > 120 && !line.startsWith("|"))).toEqual([]);
});

test("a broken item hides none after it", () => {
  const text = `invariant a vmrun : ;
junk here
invariant b on vmrun : (true;
define = 3;
invariant c on vmrun : vmcb.GUEST_ASID != 0;`;
  const file = checked(text);
  expect(file?.invariants.map(({ name }) => name)).toEqual(["c"]);
  const places = (file?.diagnostics ?? []).map(({ start }) => lineColumn(text, start));
  expect(places.map(({ line }) => line)).toEqual([1, 1, 2, 3, 4]);
});

test("what each name refers to, and what can be seen where", () => {
  const text = `define d(m: Leaf) = m.hpa;
invariant a on vmrun:
  forall m in npt(vmcb.nCR3).leaves : let h = d(m) : h == exit.info1;`;
  const file = checked(text);
  const named = (file?.references ?? []).map(({ start, end, referent }) => {
    return `${text.slice(start, end)}@${lineColumn(text, start).line} ${referent.kind}`;
  });
  expect(named.sort()).toEqual([
    ...[
      "Leaf@1 type",
      "a@2 invariant",
      "d@1 definition",
      "d@3 definition",
      "exit@3 global",
      "h@3 variable",
    ],
    ...["h@3 variable", "hpa@1 field", "info1@3 field", "leaves@3 field", "m@1 variable"],
    ...["m@1 variable", "m@3 variable", "m@3 variable", "nCR3@3 field", "npt@3 function"],
    ...["vmcb@3 global", "vmrun@2 event"],
  ]);
  const seen = (at: string) => file && variablesAt(file, text.indexOf(at)).map(({ name }) => name);
  expect(seen("m.hpa")).toEqual(["m"]);
  expect(seen("npt(")).toEqual([]);
  expect(seen("d(m) :")).toEqual(["m"]);
  expect(seen("exit.info1")).toEqual(["h", "m"]);
});

test("an image without debug information is the reason that a name is not known", () => {
  const { file, diagnostics } = parse("invariant a on vmrun : $guests_made > 0;");
  const [said] = check([{ path: "a.inv", file, diagnostics }], BUILT_INS, undefined);
  expect(said?.diagnostics.map(({ message }) => message)).toEqual([
    "There is no name guests_made, and the hypervisor's own names are not known: its image has no debug information, or none is given",
  ]);
});

test.each([
  ["$guests.made > 0", "C void is no struct or union"],
  ["$guests == 1", "== compares two of one type"],
  ["$guests[1] == 1", "An index stands behind a list, a C array or a C pointer"],
])(
  "an image without debug information is the reason that a symbol has no type: %s",
  (body, what) => {
    const { file, diagnostics } = parse(`invariant a on vmrun : ${body};`);
    const names: ProgramNames = {
      problem: "a.elf has no debug information: compile it with -g",
      global: () => ({ type: { kind: "void" } }),
      function: () => undefined,
      enumerator: () => undefined,
      typeNamed: () => undefined,
      names: () => [],
      functionNames: () => [],
    };
    const [said] = check([{ path: "a.inv", file, diagnostics }], BUILT_INS, names);
    const [message = ""] = said?.diagnostics.map((each) => each.message) ?? [];
    expect(message).toContain(what);
    expect(message).toContain(
      ": only its address is known, as a.elf has no debug information: compile it with -g",
    );
  },
);

test.each(SHIPPED_INVARIANTS)("$path is sound", ({ path, text }) => {
  const { file, diagnostics } = parse(text);
  const [said] = check([{ path, file, diagnostics }], BUILT_INS, program);
  expect(said?.diagnostics).toEqual([]);
});
