/** What an invariant read of the machine at an event, as the states that its ACL2 form is applied to. */
import { bound, compile, elementsOf, type Frame } from "../evaluate/compile.ts";
import { isUnknown, type Result } from "../evaluate/value.ts";
import type { CheckedInvariant, Term } from "../language/term.ts";
import { parts } from "../language/term-parts.ts";
import { termText } from "../language/term-text.ts";
import type { View } from "../model/view.ts";
import { symbol } from "./export.ts";
import { fieldsInUse, freeVariables, isRead } from "./reads.ts";

/**
 * "(NOW . BEFORE)": two alists, where BEFORE has what old(...) looks at. The frame is the one in which
 * the invariant is evaluated.
 */
export function stateForm({ body }: CheckedInvariant, frame: Frame): string {
  const writer = new StateWriter(body, frame);
  writer.collect(body);
  return writer.form();
}

class StateWriter {
  private readonly frame: Frame;
  private readonly fields: ReturnType<typeof fieldsInUse>;
  private readonly now = new Map<string, string>();
  private readonly before = new Map<string, string>();

  constructor(body: Term, frame: Frame) {
    this.frame = frame;
    this.fields = fieldsInUse([body]);
  }

  form(): string {
    const alist = (entries: ReadonlyMap<string, string>) =>
      `(${[...entries].map(([key, value]) => `(${key} . ${value})`).join(" ")})`;
    return `(${alist(this.now)} . ${alist(this.before)})`;
  }

  collect(term: Term): void {
    if (term.kind === "old") {
      const kept = this.frame.old.get(term);
      if (kept !== undefined) this.before.set(this.key(term.body), this.value(kept));
    } else if (isRead(term)) {
      const key = this.key(term);
      if (!this.now.has(key)) this.now.set(key, this.value(compile(term)(this.frame)));
    } else if (term.kind === "quantifier") this.quantifier(term);
    else if (term.kind === "let") {
      this.collect(term.value);
      this.within(term.variable, compile(term.value)(this.frame), term.body);
    } else if (term.kind === "expand") this.expand(term);
    else for (const part of parts(term)) this.collect(part);
  }

  /** Each known element's reads; where none depends on the element, those of one say all. */
  private quantifier(term: Extract<Term, { kind: "quantifier" }>): void {
    const { variable, collection, filter, body } = term;
    this.collect(collection);
    const elements = elementsOf(compile(collection)(this.frame), this.frame.view);
    if (!Array.isArray(elements)) return;
    const known = elements.filter((each) => !isUnknown(each));
    const inner = filter === undefined ? [body] : [filter, body];
    const isSame = inner.every((each) => readsNothingOf(each));
    for (const element of isSame ? known.slice(0, 1) : known) {
      for (const each of inner) this.within(variable, element, each);
    }
  }

  private expand(term: Extract<Term, { kind: "expand" }>): void {
    const { definition } = term;
    for (const argument of term.arguments) this.collect(argument);
    const values = term.arguments.map((each) => compile(each)(this.frame));
    const bind = (i: number): void => {
      const parameter = definition.parameters[i];
      if (parameter === undefined) this.collect(definition.body);
      else {
        bound(this.frame, parameter, values[i] as Result, () => {
          bind(i + 1);
          return true;
        });
      }
    };
    bind(0);
  }

  private within(variable: Parameters<typeof bound>[1], value: Result, body: Term): void {
    bound(this.frame, variable, value, () => {
      this.collect(body);
      return true;
    });
  }

  /** As the exported form makes it. */
  private key(term: Term): string {
    const free = freeVariables(term);
    const name = symbol(termText(term));
    if (free.length === 0) return name;
    const values = free.map((each) =>
      this.value(compile({ ...term, kind: "variable", variable: each })(this.frame)),
    );
    return `(${name} ${values.join(" ")})`;
  }

  private value(result: Result): string {
    return valueForm(result, this.fields, this.frame.view);
  }
}

/** A value as a state has it; of records the fields in use. */
export function valueForm(
  result: Result,
  fields: ReturnType<typeof fieldsInUse>,
  view: View,
): string {
  if (isUnknown(result)) return ":unknown";
  if (typeof result === "bigint") return result.toString();
  if (typeof result === "boolean") return result ? "t" : "nil";
  switch (result.kind) {
    case "range":
      return `(${result.bounds.map(({ first, end }) => `(${first} . ${end})`).join(" ")})`;
    case "list":
      return `(${result.elements.map((each) => valueForm(each, fields, view)).join(" ")})`;
    case "record": {
      const used = [...(fields.get(result.model.name) ?? [])];
      const pairs = used.map((name) => {
        const read = result.model.fields.get(name)?.read(result.of, view);
        const form = read === undefined ? ":unknown" : valueForm(read, fields, view);
        return `(${symbol(name)} . ${form})`;
      });
      return `(${pairs.join(" ")})`;
    }
    case "c":
      return result.address === undefined ? ":unknown" : result.address.toString();
  }
}

/** Whether no read in a term depends on a variable. */
function readsNothingOf(term: Term): boolean {
  if (term.kind === "quantifier" || term.kind === "expand") return false;
  if (isRead(term)) return freeVariables(term).length === 0;
  return parts(term).every(readsNothingOf);
}
