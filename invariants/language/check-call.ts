/** Checks calls: of definitions, of built-in functions, and sizeof. */
import { sizeOf } from "../../symbols/types.ts";
import { cType } from "./c-types.ts";
import type { ExpressionChecker } from "./check-expression.ts";
import { errorTerm, type KnownDefinition, type Place } from "./checker.ts";
import type { FunctionDeclaration } from "./declarations.ts";
import { insteadOf } from "./habits.ts";
import type { Expression } from "./syntax.ts";
import type { Term } from "./term.ts";
import { article, INTEGER, rangeOf, type Space, sameType, type Type, typeName } from "./types.ts";

type CallNode = Extract<Expression, { kind: "call" }>;

export class CallChecker {
  private readonly checker: ExpressionChecker;

  constructor(checker: ExpressionChecker) {
    this.checker = checker;
  }

  call(node: CallNode, place: Place): Term {
    const { notes, shared } = this.checker;
    const { text } = node.name;
    if (text === "sizeof") return this.sizeof(node, place);
    const definition = shared.definitions.get(text);
    if (definition !== undefined) return this.expand(node, definition, place);
    const declared = shared.builtIns.functions.get(text);
    if (declared !== undefined) return this.builtIn(node, declared, place);
    for (const each of node.arguments) this.checker.check(each, place);
    const message = `There is no function ${text} to call`;
    if (shared.program?.function(text) !== undefined) {
      const why = "the language has definitions and built-in functions";
      notes.error(node.name, `${message}: it is the program's, which runs it; ${why}`);
    } else {
      const { definitions, builtIns } = shared;
      const names = [...definitions.keys(), ...builtIns.functions.keys(), "sizeof"];
      const instead = insteadOf(text);
      if (instead !== "") notes.error(node.name, message + instead);
      else notes.unknownName(node.name, message, names);
    }
    return errorTerm(node);
  }

  private expand(node: CallNode, known: KnownDefinition, place: Place): Term {
    const { notes, shared } = this.checker;
    const { start, end, name } = node;
    const definition = shared.definition(known);
    const declared = known.item.name;
    const { path } = known;
    notes.refer(
      name,
      { kind: "definition", name: name.text, path, declared },
      definition?.body.type,
    );
    const types = definition?.parameters.map(({ type }) => type) ?? [];
    const given = node.arguments.map((each, i) =>
      this.argument(each, types[i], place, name.text, i),
    );
    if (definition === undefined) return errorTerm(node);
    if (!this.hasCount(node, types.length)) return errorTerm(node);
    return { kind: "expand", definition, arguments: given, type: definition.body.type, start, end };
  }

  private builtIn(node: CallNode, { parameters, type }: FunctionDeclaration, place: Place): Term {
    const { start, end, name } = node;
    this.checker.notes.refer(name, { kind: "function", name: name.text }, type);
    const terms = node.arguments.map((each) => this.checker.load(this.checker.check(each, place)));
    const space = this.commonSpace(node, parameters, terms);
    const given = terms.map((term, i) => {
      const wanted = parameters[i]?.type;
      if (wanted === "any list")
        return this.anyList(term, node.arguments[i] as Expression, name.text);
      const fits = wanted === "any range" ? rangeOf(space ?? "hpa") : wanted;
      return this.fit(term, node.arguments[i] as Expression, fits, name.text, i);
    });
    if (!this.hasCount(node, parameters.length)) return errorTerm(node);
    return { kind: "call", name: name.text, arguments: given, type, start, end };
  }

  /** Of the first argument where ranges of any one space are wanted. */
  private commonSpace(
    node: CallNode,
    parameters: FunctionDeclaration["parameters"],
    terms: readonly Term[],
  ): Space | undefined {
    const first = terms.find((_, i) => parameters[i]?.type === "any range")?.type;
    if (first === undefined || first.kind === "range" || first.kind === "error") {
      return first?.kind === "range" ? first.space : undefined;
    }
    this.checker.notes.error(node, `${node.name.text} wants ranges, and this is ${article(first)}`);
    return undefined;
  }

  private argument(
    node: Expression,
    wanted: Type | undefined,
    place: Place,
    name: string,
    index: number,
  ): Term {
    return this.fit(this.checker.load(this.checker.check(node, place)), node, wanted, name, index);
  }

  private fit(
    term: Term,
    node: Expression,
    wanted: Type | undefined,
    name: string,
    index: number,
  ): Term {
    if (wanted === undefined || sameType(term.type, wanted)) return term;
    this.checker.notes.error(
      node,
      `Argument ${index + 1} of ${name} is ${article(wanted)}, and this is ${article(term.type)}`,
    );
    return errorTerm(node);
  }

  private anyList(term: Term, node: Expression, name: string): Term {
    const { kind } = term.type;
    if (kind === "list" || kind === "error") return term;
    this.checker.notes.error(node, `${name} wants a list, and this is ${article(term.type)}`);
    return errorTerm(node);
  }

  private hasCount(node: CallNode, wanted: number): boolean {
    const given = node.arguments.length;
    if (given === wanted) return true;
    const many = wanted === 1 ? "one argument" : `${wanted} arguments`;
    this.checker.notes.error(node, `${node.name.text} takes ${many}, and ${given} are given`);
    return false;
  }

  private typeNamed(node: Expression): Type | undefined {
    const { shared, notes } = this.checker;
    const name = node.kind === "name" ? node.name : undefined;
    const found = name && shared.program?.typeNamed(name.text);
    if (name === undefined || found === undefined) return undefined;
    const type = cType(found);
    notes.refer(name, { kind: "type", name: name.text, type }, type);
    return type;
  }

  /** Of a type's name of the program or of a C object. */
  private sizeof(node: CallNode, place: Place): Term {
    const { start, end } = node;
    if (!this.hasCount(node, 1)) return errorTerm(node);
    const [of] = node.arguments as [Expression];
    const type = this.typeNamed(of) ?? this.checker.check(of, place).type;
    if (type.kind === "error") return errorTerm(node);
    const size = type.kind === "c" ? sizeOf(type.type) : undefined;
    if (size !== undefined) {
      return { kind: "constant", value: BigInt(size), type: INTEGER, start, end };
    }
    this.checker.notes.error(
      of,
      `sizeof wants a C object or type of known size, and this is ${typeName(type)}`,
    );
    return errorTerm(node);
  }
}
