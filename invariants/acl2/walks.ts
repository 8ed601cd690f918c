/** Walks of page tables that an invariant looks at, as forms that are T where ACL2's own walker comes to the same. */
import type { MachineMemory } from "../../emulator/index.ts";
import { compile, type Frame } from "../evaluate/compile.ts";
import { isUnknown, Unknown } from "../evaluate/value.ts";
import type { CheckedInvariant, Term } from "../language/term.ts";
import { isOfMachine, parts } from "../language/term-parts.ts";
import type { Walk } from "../model/page-tables.ts";
import { symbol } from "./export.ts";
import { fieldsInUse } from "./reads.ts";
import { valueForm } from "./state.ts";

type WalkTerm = Extract<Term, { kind: "field" }>;

/** Fields of the tables of a root, by the record of their elements. */
const COLLECTIONS: { readonly [name: string]: string } = {
  leaves: "Leaf",
  entries: "Entry",
  tables: "Table",
  mapped: "",
};
const PAGE = 4096;

/** The frame is the one in which the invariant is evaluated. The book page-walk.lisp has the walker. */
export function walkForms({ body }: CheckedInvariant, frame: Frame): string[] {
  const fields = fieldsInUse([body]);
  return walksIn(body).flatMap((term) => {
    const walk = compile(term.object)(frame);
    if (isUnknown(walk) || typeof walk !== "object" || walk.kind !== "record") return [];
    const names = [...(fields.get(COLLECTIONS[term.name] as string) ?? [])].map(symbol);
    const { cr3, visits } = walk.of as Walk;
    const { context, paging } = frame.view;
    const { cr4, efer } = context instanceof Unknown ? paging : context;
    const tables = visits.map(({ table }) => table.address);
    const memory = memoryForm(frame.view.machine.memory, tables);
    const asked = `:${term.name} '(${names.join(" ")}) (format-of ${cr4} ${efer}) ${cr3} '${memory}`;
    const value = valueForm(compile(term)(frame), fields, frame.view);
    return [`(equal (walk-value ${asked}) '${value})`];
  });
}

/** Those that depend on the machine alone; each as often as it stands there. */
function walksIn(term: Term): WalkTerm[] {
  const isWalk = term.kind === "field" && term.record === "PageTables" && isOfMachine(term);
  const inner = [...parts(term), ...(term.kind === "expand" ? [term.definition.body] : [])];
  const own = isWalk && COLLECTIONS[term.name] !== undefined ? [term] : [];
  return [...own, ...inner.flatMap(walksIn)];
}

/** The pages at these addresses as they are now: their words of 8 bytes that are not 0. */
function memoryForm(memory: MachineMemory, addresses: readonly number[]): string {
  const pages = new Set(addresses.map((address) => address - (address % PAGE)));
  const forms = [...pages].map((page) => {
    if (memory.pointer(page) < 0) return `(${page} . :no-ram)`;
    const words = new BigUint64Array(memory.peek(page, PAGE).slice().buffer);
    const pairs = [...words].flatMap((word, i) =>
      word === 0n ? [] : [`(${page + 8 * i} . ${word})`],
    );
    return `(${page} ${pairs.join(" ")})`;
  });
  return `(${forms.join(" ")})`;
}
