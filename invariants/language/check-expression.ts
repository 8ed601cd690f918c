/** Checks expressions: resolves every name, finds every type, and makes the term that is evaluated. */
import { stripped } from "../../symbols/types.ts";
import { cType, isInteger } from "./c-types.ts";
import { CallChecker } from "./check-call.ts";
import { MemberChecker } from "./check-member.ts";
import { NameChecker } from "./check-name.ts";
import {
  errorTerm,
  type FileNotes,
  MOST_DEEP,
  MOST_PARTS,
  type Place,
  type Scope,
  type Shared,
  TOO_MUCH,
} from "./checker.ts";
import type { BinaryOperator, Expression, Name } from "./syntax.ts";
import type { Term, Variable } from "./term.ts";
import { article, BOOLEAN, ERROR, INTEGER, listOf, sameType, type Type } from "./types.ts";

type Of<K extends Expression["kind"]> = Extract<Expression, { kind: K }>;

const LOGICAL: ReadonlySet<BinaryOperator> = new Set(["=>", "<=>", "||", "&&"]);
const EQUALITY: ReadonlySet<BinaryOperator> = new Set(["==", "!="]);
const ORDER: ReadonlySet<BinaryOperator> = new Set(["<", "<=", ">", ">="]);
const COMPARISONS: ReadonlySet<BinaryOperator> = new Set([...EQUALITY, ...ORDER]);
const BITS: ReadonlySet<BinaryOperator> = new Set(["&", "^", "|"]);

export class ExpressionChecker {
  readonly shared: Shared;
  readonly notes: FileNotes;
  private readonly names: NameChecker;
  private readonly members: MemberChecker;
  private readonly calls: CallChecker;

  constructor(shared: Shared, notes: FileNotes) {
    this.shared = shared;
    this.notes = notes;
    this.names = new NameChecker(shared, notes);
    this.members = new MemberChecker(this);
    this.calls = new CallChecker(this);
  }

  check(node: Expression, place: Place): Term {
    const { extent } = this.shared;
    if (extent.depth >= MOST_DEEP || extent.parts >= MOST_PARTS) return this.tooMuch(node);
    extent.parts++;
    extent.depth++;
    extent.deepest = Math.max(extent.deepest, extent.depth);
    const term = this.term(node, place);
    extent.depth--;
    return term;
  }

  private tooMuch(node: Expression): Term {
    this.notes.error(node, `This is ${TOO_MUCH}`);
    return errorTerm(node);
  }

  private term(node: Expression, place: Place): Term {
    const { start, end } = node;
    switch (node.kind) {
      case "number":
        return {
          ...({ kind: "constant", value: node.value, written: node.written } as const),
          ...{ type: INTEGER, start, end },
        };
      case "boolean":
        return { kind: "constant", value: node.value, type: BOOLEAN, start, end };
      case "name":
        return this.names.check(node, place);
      case "member":
        return this.members.member(node, place);
      case "index":
        return this.members.index(node, place);
      case "call":
        return this.calls.call(node, place);
      case "unary":
        return this.unary(node, place);
      case "binary":
        return this.binary(node, place);
      case "conditional":
        return this.conditional(node, place);
      case "in":
        return this.in(node, place);
      case "set":
        this.notes.error(node, 'A set stands only behind "in", as x in {1, 2}');
        return errorTerm(node);
      case "quantifier":
        return this.quantifier(node, place);
      case "let":
        return this.let(node, place);
      case "old":
        return this.old(node, place);
      case "missing":
        return errorTerm(node);
    }
  }

  /** As a boolean; `what` says where one is wanted. */
  boolean(node: Expression, place: Place, what: string): Term {
    const term = this.check(node, place);
    if (term.type.kind === "boolean" || term.type.kind === "error") return term;
    const hint = isInteger(term.type) ? "; compare it, as with != 0" : this.whyTypeless(term.type);
    this.notes.error(node, `${what} wants a boolean, and this is ${article(term.type)}${hint}`);
    return errorTerm(node);
  }

  /** As an integer; `operator` is the one that wants it. */
  integer(node: Expression, place: Place, what: string, operator?: BinaryOperator): Term {
    const term = this.load(this.check(node, place));
    if (term.type.kind === "integer" || term.type.kind === "error") return term;
    const hint = whyCompared(node, operator) || this.whyTypeless(term.type);
    this.notes.error(node, `${what} wants an integer, and this is ${article(term.type)}${hint}`);
    return errorTerm(node);
  }

  /** Behind a sentence that misses a type; empty where there is one. */
  whyTypeless(type: Type): string {
    if (type.kind !== "c" || stripped(type.type).kind !== "void") return "";
    const { problem } = this.shared.program ?? {};
    return `: only its address is known${problem === undefined ? "" : `, as ${problem}`}`;
  }

  /** A C object that holds an integer, as that integer; anything else as it is. */
  load(term: Term): Term {
    if (term.type.kind !== "c" || !isInteger(term.type)) return term;
    const { start, end } = term;
    return { kind: "load", object: term, type: INTEGER, start, end };
  }

  private unary(node: Of<"unary">, place: Place): Term {
    const { operator, start, end } = node;
    if (operator === "*") return this.members.dereference(node, place);
    if (operator === "&") return this.members.addressOf(node, place);
    const what = `The operator ${operator}`;
    if (operator === "!") {
      const operand = this.boolean(node.operand, place, what);
      return { kind: "unary", operator, operand, type: BOOLEAN, start, end };
    }
    const operand = this.integer(node.operand, place, what);
    return { kind: "unary", operator, operand, type: INTEGER, start, end };
  }

  private binary(node: Of<"binary">, place: Place): Term {
    const { operator, start, end } = node;
    const make = (left: Term, right: Term, type: Type): Term => {
      return { kind: "binary", operator, left, right, type, start, end };
    };
    const what = `The operator ${operator}`;
    if (LOGICAL.has(operator)) {
      const left = this.boolean(node.left, place, what);
      return make(left, this.boolean(node.right, place, what), BOOLEAN);
    }
    if (EQUALITY.has(operator)) return this.equality(node, place, make);
    const left = this.integer(node.left, place, what, operator);
    const right = this.integer(node.right, place, what, operator);
    if (ORDER.has(operator)) return make(left, right, BOOLEAN);
    const isBroken = left.type.kind === "error" || right.type.kind === "error";
    return make(left, right, isBroken ? ERROR : INTEGER);
  }

  private equality(
    node: Of<"binary">,
    place: Place,
    make: (left: Term, right: Term, type: Type) => Term,
  ): Term {
    const left = this.load(this.check(node.left, place));
    const right = this.load(this.check(node.right, place));
    const types = [left.type, right.type];
    if (!sameType(left.type, right.type)) {
      const [a, b] = types.map(article);
      const hint = types.map((each) => this.whyTypeless(each)).find((each) => each !== "") ?? "";
      this.notes.error(
        node,
        `${node.operator} compares two of one type, and these are ${a} and ${b}${hint}`,
      );
      return errorTerm(node);
    }
    const bad = types.find(({ kind }) => !["integer", "boolean", "range", "error"].includes(kind));
    if (bad === undefined) return make(left, right, BOOLEAN);
    this.notes.error(
      node,
      `${node.operator} compares integers, booleans and ranges, and this is ${article(bad)}`,
    );
    return errorTerm(node);
  }

  private conditional(node: Of<"conditional">, place: Place): Term {
    const { start, end } = node;
    const condition = this.boolean(node.condition, place, "The condition of ?:");
    const then = this.load(this.check(node.then, place));
    const otherwise = this.load(this.check(node.otherwise, place));
    if (!sameType(then.type, otherwise.type)) {
      const [a, b] = [article(then.type), article(otherwise.type)];
      this.notes.error(node, `?: chooses between two of one type, and these are ${a} and ${b}`);
      return errorTerm(node);
    }
    const type = then.type.kind === "error" ? otherwise.type : then.type;
    return { kind: "conditional", condition, then, otherwise, type, start, end };
  }

  private in(node: Of<"in">, place: Place): Term {
    const { start, end } = node;
    if (node.of.kind === "set") {
      const element = this.integer(node.element, place, '"in"');
      const set = node.of.elements.map((each) => this.integer(each, place, "A set"));
      return { kind: "oneOf", element, set, type: BOOLEAN, start, end };
    }
    const element = this.integer(node.element, place, '"in"');
    const range = this.check(node.of, place);
    if (range.type.kind === "range" || range.type.kind === "error") {
      return { kind: "inRange", element, range, type: BOOLEAN, start, end };
    }
    this.notes.error(
      node.of,
      `"in" wants a range or a set behind it, and this is ${article(range.type)}`,
    );
    return errorTerm(node);
  }

  private quantifier(node: Of<"quantifier">, place: Place): Term {
    const { quantifier, start, end } = node;
    const collection = this.collection(node.collection, place);
    const element = this.elementOf(collection, node.collection);
    const variable: Variable = { name: node.variable.text, type: element };
    const scope = this.bind(variable, node.variable, place.scope);
    this.notes.see(variable, node.collection.end, end);
    const inner: Place = { ...place, scope };
    const filter = node.filter && this.boolean(node.filter, inner, "The filter");
    const body = this.boolean(node.body, inner, `The body of ${quantifier}`);
    if (!scope.isUsed && quantifier !== "count") this.warnUnused(node.variable);
    const type = quantifier === "count" ? INTEGER : BOOLEAN;
    return { kind: "quantifier", quantifier, variable, collection, filter, body, type, start, end };
  }

  private collection(node: Expression, place: Place): Term {
    if (node.kind !== "set") return this.check(node, place);
    const elements = node.elements.map((each) => this.integer(each, place, "A set"));
    const { start, end } = node;
    return { kind: "list", elements, type: listOf(INTEGER), start, end };
  }

  private elementOf(collection: Term, node: Expression): Type {
    const { type } = collection;
    if (type.kind === "list") return type.element;
    if (type.kind === "error") return ERROR;
    const c = type.kind === "c" ? stripped(type.type) : undefined;
    if (c?.kind === "array" && c.count !== undefined) return cType(c.element);
    this.notes.error(
      node,
      `A quantifier runs over a list or a C array of known length, and this is ${article(type)}${this.listsOf(type)}`,
    );
    return ERROR;
  }

  /** Behind a sentence that misses a list: those that a record has. */
  private listsOf(type: Type): string {
    const fields =
      type.kind === "record" ? this.shared.builtIns.records.get(type.record) : undefined;
    const lists = [...(fields ?? [])].filter(([, { type: of }]) => of.kind === "list");
    return lists.length === 0 ? "" : `: it has ${lists.map(([name]) => `.${name}`).join(", ")}`;
  }

  private let(node: Of<"let">, place: Place): Term {
    const { start, end } = node;
    const value = this.check(node.value, place);
    const variable: Variable = { name: node.variable.text, type: value.type };
    const scope = this.bind(variable, node.variable, place.scope);
    this.notes.see(variable, node.value.end, end);
    const body = this.check(node.body, { ...place, scope });
    if (!scope.isUsed) this.warnUnused(node.variable);
    return { kind: "let", variable, value, body, type: body.type, start, end };
  }

  private bind(variable: Variable, declared: Name, outer: Scope | undefined): Scope {
    this.notes.refer(declared, { kind: "variable", variable, declared }, variable.type);
    return { variable, declared, outer, isUsed: false };
  }

  private warnUnused(name: Name): void {
    if (name.text !== "") this.notes.warning(name, `${name.text} is not used`);
  }

  private old(node: Of<"old">, place: Place): Term {
    const { start, end } = node;
    if (place.isWithinOld) {
      this.notes.error(node, "old stands within old: there is one earlier event to look at");
      return errorTerm(node);
    }
    const within = { ...place, scope: undefined, aroundOld: place.scope, isWithinOld: true };
    const checked = this.check(node.body, within);
    const body = this.load(checked);
    if (!["integer", "boolean", "range", "error"].includes(body.type.kind)) {
      this.notes.error(
        node.body,
        `old keeps integers, booleans and ranges, and this is ${article(body.type)}: take a part of it`,
      );
      return errorTerm(node);
    }
    // An earlier pointer can be followed: to what is there now.
    const isPointer = checked.type.kind === "c" && stripped(checked.type.type).kind === "pointer";
    return { kind: "old", body, type: isPointer ? checked.type : body.type, start, end };
  }
}

/** Behind a sentence that misses an integer: that a comparison was read where none was meant. */
function whyCompared(node: Expression, operator: BinaryOperator | undefined): string {
  if (operator === undefined || node.kind !== "binary" || !COMPARISONS.has(node.operator))
    return "";
  if (BITS.has(operator)) {
    const { operator: compared } = node;
    return `: ${compared} is tighter, as in C, so write (x ${operator} y) ${compared} z`;
  }
  return ORDER.has(operator) ? ": join two comparisons with &&" : "";
}
