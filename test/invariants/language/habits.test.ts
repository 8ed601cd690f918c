// What people write out of habit of C and other languages: one error each, at its place, that says what to write.
import { expect, test } from "vitest";
import { readInvariants } from "../../../invariants/index.ts";
import { PAE_HYPERVISOR } from "../../../scripts/build-minvisor.mjs";
import { elfOf, programOf } from "../boot.ts";

const program = programOf(elfOf());
const said = (text: string) => {
  const [file] = readInvariants([{ path: "a.inv", text }], program);
  const diagnostics = file?.diagnostics ?? [];
  return diagnostics.map(({ start, end, message }) => [text.slice(start, end), message]);
};

const ORDER = "join two comparisons with &&";
const BITS = "so write (x & y) == z";

test.each([
  ["vmcb.nCR3 = 5", "=", '"=" gives a name its value: to compare, write =='],
  ["vmcb.NP_ENABLE == 1 and true", "and", '"and" is no operator: write &&'],
  ["vmcb.NP_ENABLE == 1 or true", "or", '"or" is no operator: write ||'],
  ["not vmcb.intercepts.CPUID", "not", '"not" is no operator: write !'],
  ["not (true)", "not", "There is no function not to call: write !"],
  ["(u64)vmcb.nCR3 != 0", "(u64)", "There are no casts, as integers have no width"],
  ["(unsigned long)0x10 != 0", "(unsigned long)", "There are no casts"],
  ["(struct vmcb *)$vmcb.save.rax != 0", "(struct vmcb *)", "There are no casts"],
  ["vmcb.nCR3 & 0xfff == 0", "0xfff == 0", BITS],
  ["1 < vmcb.nCR3 < 3", "1 < vmcb.nCR3", ORDER],
  ["vmcb.RAX == NULL", "NULL", "There is no name NULL: write 0"],
  ["if (true)", "if", "There is no function if to call: write CONDITION ? ONE : OTHER"],
  ["forall p in 0..9 : p < 9", "..", "A list of integers is written integers(FIRST, END)"],
  ["forall p in range(0, 9) : p < 9", "range", "write integers(FIRST, END) for a list"],
  ["count(npt(vmcb.nCR3).leaves) == 3", "count", "write length(LIST) for all"],
  ["forall m in npt(1) : m.size == 4K", "npt(1)", "it has .leaves, .entries, .tables"],
  ["guest.rbx == 0", "rbx", "Guest has no member rbx; the hypervisor's own is $guest"],
  ["vmcb.control.asid == 0", "control", "the hypervisor's own is $vmcb"],
])("%s", (body, place, message) => {
  const all = said(`invariant a on vmrun: ${body};`);
  expect(all).toEqual([[place, expect.stringContaining(message)]]);
});

test.each([
  ["invariant a on exit(0x400): true;", "0x400", "for a number compare exit.code"],
  ["invariant a on exception(14): true;", "14", "for a number compare raised.vector"],
  [
    "invariant a on msr_write(EFER, 0x1_0000_0000): true;",
    "0x1_0000_0000",
    "There is no MSR 0x1_0000_0000: an MSR's number has 32 bits",
  ],
  ["define f(x: int) = x;", "int", "There is no type int; there are integer, boolean"],
  ["define f(x: integer) = x;\ninvariant a on vmrun: f == 1;", "f", "f takes one argument in"],
  [
    "invariant a on call nested_pages_build, vmrun: limit > 0;",
    "limit",
    "it is a parameter of nested_pages_build, and this invariant has other events too",
  ],
  [
    "invariant a on call nested_pages_build: result > 0;",
    "result",
    "There is no name result: a result is there at one return alone",
  ],
])("%s", (text, place, message) => {
  expect(said(text)).toEqual([[place, expect.stringContaining(message)]]);
});

test("a semicolon is missed behind the item that lacks it", () => {
  const missing = (last: string) => [last, 'A ";" is missing behind this, at the end of the item'];
  expect(said("invariant a on vmrun: vmcb.GUEST_ASID == 1\n\ninvariant b on vmrun: true")).toEqual([
    missing("1"),
    missing("true"),
  ]);
  expect(said("invariant a on vmrun:")).toHaveLength(1);
});

test("a function that is inlined says that it has no call, or not each time", () => {
  const [file] = readInvariants(
    [
      {
        path: "a.inv",
        text: "invariant a on call dispatch: true;\ninvariant b on call say: true;",
      },
    ],
    programOf(PAE_HYPERVISOR),
  );
  const told = file?.diagnostics.map(({ severity, message }) => [severity, message]);
  expect(told).toEqual([
    ["error", "dispatch is inlined at one place: it has no code of its own, and no call"],
    ["warning", "say is inlined at one place too: what runs there is no call, and is not checked"],
  ]);
});

test("types of C are named with their tag, in sizeof and as a definition's parameter", () => {
  const text = `define is_sane(r: struct range) = r.start < r.end;
invariant a on vmrun: sizeof(struct range) == 16 && is_sane($minvisor_region);`;
  expect(said(text)).toEqual([]);
  expect(said(text.replace("$minvisor_region)", "$guest)"))).toEqual([
    ["$guest", "Argument 1 of is_sane is a C struct range, and this is a C struct guest_registers"],
  ]);
});
