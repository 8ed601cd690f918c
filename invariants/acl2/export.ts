/** Invariants as forms of the macro book definvariant.lisp: what "Show ACL2 form" shows and tests certify. */
import type { BinaryOperator } from "../language/syntax.ts";
import type {
  CheckedEvent,
  CheckedInvariant,
  Definition,
  Term,
  Variable,
} from "../language/term.ts";
import { parts } from "../language/term-parts.ts";
import { termText } from "../language/term-text.ts";
import { freeVariables, isRead, PURE_FUNCTIONS } from "./reads.ts";

/** ACL2 reads it back as it stands, upper and lower case kept. */
export const symbol = (name: string): string => `|${name.replace(/[\\|]/g, "\\$&")}|`;
const text = (value: string): string => `"${value.replace(/[\\"]/g, "\\$&")}"`;
/** No variable of ours is one of ACL2's constants. */
const variableName = ({ name }: Variable): string => symbol(`_${name}`);

const OPERATORS: { readonly [O in BinaryOperator]: (left: string, right: string) => string } = {
  "=>": (a, b) => `(u-implies ${a} ${b})`,
  "<=>": (a, b) => `(u-iff ${a} ${b})`,
  "||": (a, b) => `(u-or ${a} ${b})`,
  "&&": (a, b) => `(u-and ${a} ${b})`,
  "|": (a, b) => `(u-logior ${a} ${b})`,
  "^": (a, b) => `(u-logxor ${a} ${b})`,
  "&": (a, b) => `(u-logand ${a} ${b})`,
  "==": (a, b) => `(u-equal ${a} ${b})`,
  "!=": (a, b) => `(u-not (u-equal ${a} ${b}))`,
  "<": (a, b) => `(u< ${a} ${b})`,
  "<=": (a, b) => `(u<= ${a} ${b})`,
  ">": (a, b) => `(u< ${b} ${a})`,
  ">=": (a, b) => `(u<= ${b} ${a})`,
  "<<": (a, b) => `(u-shift-left ${a} ${b})`,
  ">>": (a, b) => `(u-shift-right ${a} ${b})`,
  "+": (a, b) => `(u+ ${a} ${b})`,
  "-": (a, b) => `(u- ${a} ${b})`,
  "*": (a, b) => `(u* ${a} ${b})`,
  "/": (a, b) => `(u-divide ${a} ${b})`,
  "%": (a, b) => `(u-remainder ${a} ${b})`,
};
const UNARY = { "!": "u-not", "-": "u-negate", "~": "u-lognot" } as const;
const QUANTIFIERS = { forall: "defforall", exists: "defexists", count: "defcount" } as const;

/** Makes the events of one invariant or definition: its quantifiers first, each a function. */
class FormWriter {
  readonly events: string[] = [];
  private readonly name: string;
  private readonly functions = new Map<Term, string>();

  constructor(name: string) {
    this.name = name;
  }

  form(term: Term): string {
    if (isRead(term)) return this.read(term);
    switch (term.kind) {
      case "constant":
        if (typeof term.value === "boolean") return term.value ? "t" : "nil";
        return term.value.toString();
      case "variable": {
        const name = variableName(term.variable);
        return term.type.kind === "boolean" ? `(u-boolean ${name})` : name;
      }
      case "unary":
        return `(${UNARY[term.operator]} ${this.form(term.operand)})`;
      case "binary":
        return OPERATORS[term.operator](this.form(term.left), this.form(term.right));
      case "conditional": {
        const { condition, then, otherwise } = term;
        return `(u-if ${[condition, then, otherwise].map((each) => this.form(each)).join(" ")})`;
      }
      case "quantifier":
        return `(${this.lift(term)} ${this.form(term.collection)} ${this.actuals(term)})`;
      case "let":
        return `(let ((${variableName(term.variable)} ${this.form(term.value)})) ${this.form(term.body)})`;
      case "old":
        return this.typed(term, `(u-read ${this.key(term.body)} (u-before states))`);
      default:
        return this.application(term);
    }
  }

  /** Number of the first element that breaks the outermost forall; nil where there is none. */
  firstBad(term: Term): string {
    if (term.kind === "quantifier" && term.quantifier === "forall") {
      const name = this.lift(term).replace(/\|$/, "-FIRST-BAD|");
      return `(${name} ${this.form(term.collection)} ${this.actuals(term)})`;
    }
    if (term.kind === "binary" && term.operator === "=>") return this.firstBad(term.right);
    if (term.kind === "binary" && term.operator === "&&") {
      const [left, right] = [this.firstBad(term.left), this.firstBad(term.right)];
      return `(if (equal ${this.form(term.left)} nil) ${left} ${right})`;
    }
    if (term.kind !== "let") return "nil";
    const bound = `(${variableName(term.variable)} ${this.form(term.value)})`;
    return `(let (${bound}) (declare (ignorable ${variableName(term.variable)})) ${this.firstBad(term.body)})`;
  }

  private application(term: Term): string {
    const forms = (terms: readonly Term[]) => terms.map((each) => this.form(each)).join(" ");
    switch (term.kind) {
      case "call":
        return `(${PURE_FUNCTIONS[term.name]} ${forms(term.arguments)})`;
      case "expand":
        return `(${[definitionName(term.definition), ...term.arguments.map((each) => this.form(each)), "states"].join(" ")})`;
      case "oneOf":
        return `(u-one-of ${this.form(term.element)} (list ${forms(term.set)}))`;
      case "list":
        return `(list ${forms(term.elements)})`;
      case "inRange":
        return `(u-in-range ${this.form(term.element)} ${this.form(term.range)})`;
      case "field":
        return this.typed(term, `(u-lookup '${symbol(term.name)} ${this.form(term.object)})`);
      default:
        throw new Error(`A term of kind ${term.kind} is a read`);
    }
  }

  private read(term: Term): string {
    return this.typed(term, `(u-read ${this.key(term)} states)`);
  }

  /** The text of what is read and, where it depends on variables, their values. */
  private key(term: Term): string {
    const free = freeVariables(term).map(variableName);
    const name = symbol(termText(term));
    return free.length === 0 ? `'${name}` : `(list '${name} ${free.join(" ")})`;
  }

  private typed(term: Term, form: string): string {
    return term.type.kind === "boolean" ? `(u-boolean ${form})` : form;
  }

  private actuals(term: Extract<Term, { kind: "quantifier" }>): string {
    return [...freeOfBody(term).map(variableName), "states"].join(" ");
  }

  private lift(term: Extract<Term, { kind: "quantifier" }>): string {
    const known = this.functions.get(term);
    if (known !== undefined) return known;
    const filter = term.filter === undefined ? "" : ` :such-that ${this.form(term.filter)}`;
    const body = this.form(term.body);
    const name = symbol(`${this.name}/${this.functions.size + 1}`);
    this.functions.set(term, name);
    const head = `(${QUANTIFIERS[term.quantifier]} ${name} ${variableName(term.variable)}`;
    this.events.push(`${head} (${this.actuals(term)})${filter}\n  :holds ${body})`);
    return name;
  }
}

function freeOfBody(term: Extract<Term, { kind: "quantifier" }>): readonly Variable[] {
  const inner = [term.body, ...(term.filter === undefined ? [] : [term.filter])];
  return [...new Set(inner.flatMap(freeVariables))].filter((each) => each !== term.variable);
}

const definitionName = ({ name }: Definition): string => symbol(`define ${name}`);

function definitionForms(definition: Definition): string[] {
  const writer = new FormWriter(`define ${definition.name}`);
  const body = writer.form(definition.body);
  const parameters = definition.parameters.map(variableName).join(" ");
  const isBoolean = definition.body.type.kind === "boolean" ? "t" : "nil";
  const head = `(defdefinition ${definitionName(definition)} (${parameters})`;
  return [...writer.events, `${head} :is-boolean ${isBoolean}\n  :body ${body})`];
}

/** The definitions that a term uses, each after those that it uses itself. */
function definitionsOf(term: Term, found: Set<Definition>): void {
  if (term.kind === "expand") {
    definitionsOf(term.definition.body, found);
    found.add(term.definition);
  }
  for (const part of parts(term)) definitionsOf(part, found);
}

/** An event's name, or a list of it and of what it is about. */
function eventForm({ name, arguments: names, range }: CheckedEvent): string {
  const about = [...names.map(({ text }) => text), ...(range ? [termText(range)] : [])];
  return about.length === 0 ? symbol(name) : `(${[name, ...about].map(symbol).join(" ")})`;
}

/** The definvariant form, with those of its quantifiers before it. */
function invariantForms(invariant: CheckedInvariant): string {
  const { name, events, doc, source, body } = invariant;
  const writer = new FormWriter(name);
  const holds = writer.form(body);
  const bad = writer.firstBad(body);
  const on = events.map(eventForm).join(" ");
  const cite = source === undefined ? "" : `\n  :source ${text(source)}`;
  const head = `(definvariant ${symbol(name)} :on (${on})\n  :doc ${text(doc)}${cite}`;
  return [...writer.events, `${head}\n  :holds ${holds}\n  :first-bad ${bad})`].join("\n");
}

/** A book of all of them, certified beside the macro book. */
export function exportBook(invariants: readonly CheckedInvariant[]): string {
  const definitions = new Set<Definition>();
  for (const { body } of invariants) definitionsOf(body, definitions);
  const forms = [
    '(in-package "ACL2")',
    '(include-book "definvariant")',
    ...[...definitions].flatMap(definitionForms),
    ...invariants.map(invariantForms),
  ];
  return `${forms.join("\n\n")}\n`;
}
