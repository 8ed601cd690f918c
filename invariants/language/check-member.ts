/** Checks members, elements, pointers and addresses: of built-in records and lists, and of C objects. */
import { stripped } from "../../symbols/types.ts";
import { cType, findMember, memberNames, recordBehind } from "./c-types.ts";
import type { ExpressionChecker } from "./check-expression.ts";
import { errorTerm, type Place } from "./checker.ts";
import type { Expression } from "./syntax.ts";
import type { Term } from "./term.ts";
import { article, INTEGER, typeName } from "./types.ts";

type Of<K extends Expression["kind"]> = Extract<Expression, { kind: K }>;

export class MemberChecker {
  private readonly checker: ExpressionChecker;

  constructor(checker: ExpressionChecker) {
    this.checker = checker;
  }

  member(node: Of<"member">, place: Place): Term {
    const object = this.checker.check(node.object, place);
    const { type } = object;
    this.checker.notes.members.push({
      start: object.end,
      end: node.end,
      object: type,
      from: node.start,
    });
    if (type.kind === "error" || node.name.text === "") return errorTerm(node);
    if (type.kind === "c") return this.cMember(node, object);
    const { notes, shared } = this.checker;
    const { name, start, end } = node;
    const fields = type.kind === "record" ? shared.builtIns.records.get(type.record) : undefined;
    if (type.kind !== "record" || fields === undefined) {
      notes.error(
        name,
        `${article(type)} has no members, and so no ${name.text}`.replace(/^a/, "A"),
      );
      return errorTerm(node);
    }
    if (node.arrow) notes.error(node, `${typeName(type)} is no pointer: write . instead of ->`);
    const field = fields.get(name.text);
    if (field === undefined) {
      const message = `${type.record} has no member ${name.text}`;
      const own = this.ownOfThatName(object, name.text);
      if (own !== undefined) notes.error(name, `${message}; the hypervisor's own is ${own}`);
      else notes.unknownName(name, message, fields.keys());
      return errorTerm(node);
    }
    notes.refer(name, { kind: "field", record: type.record, name: name.text }, field.type);
    return {
      kind: "field",
      object,
      record: type.record,
      name: name.text,
      type: field.type,
      start,
      end,
    };
  }

  /** The hypervisor's object that a built-in name hides, where that one has the member. */
  private ownOfThatName(object: Term, member: string): string | undefined {
    if (object.kind !== "global") return undefined;
    const own = this.checker.shared.program?.global(object.name);
    const record = own && (recordBehind(own.type, false) ?? recordBehind(own.type, true));
    return record && findMember(record, member) && `$${object.name}`;
  }

  private cMember(node: Of<"member">, object: Term): Term {
    const { notes } = this.checker;
    const { name, arrow, start, end } = node;
    if (object.type.kind !== "c") return errorTerm(node);
    const record = recordBehind(object.type.type, arrow);
    if (record === undefined) {
      const wrong = recordBehind(object.type.type, !arrow) !== undefined;
      const hint = wrong
        ? `; write ${arrow ? "." : "->"} instead`
        : this.checker.whyTypeless(object.type);
      const wanted = arrow ? "pointer to a struct or union" : "struct or union";
      notes.error(node, `${typeName(object.type)} is no ${wanted}${hint}`);
      return errorTerm(node);
    }
    const type = findMember(record, name.text)?.type;
    if (type === undefined) {
      const of = `${record.kind} ${record.name ?? "{...}"}`;
      notes.unknownName(name, `${of} has no member ${name.text}`, memberNames(record));
      return errorTerm(node);
    }
    notes.refer(name, { kind: "member", record, name: name.text }, cType(type));
    const inner: Term = arrow
      ? {
          kind: "dereference",
          pointer: object,
          type: cType(record),
          start: object.start,
          end: object.end,
        }
      : object;
    return { kind: "cMember", object: inner, name: name.text, type: cType(type), start, end };
  }

  index(node: Of<"index">, place: Place): Term {
    const object = this.checker.check(node.object, place);
    const index = this.checker.integer(node.index, place, "An index");
    const { type } = object;
    const { start, end } = node;
    if (type.kind === "error") return errorTerm(node);
    if (type.kind === "list")
      return { kind: "element", object, index, type: type.element, start, end };
    const c = type.kind === "c" ? stripped(type.type) : undefined;
    const element = c?.kind === "array" ? c.element : c?.kind === "pointer" ? c.target : undefined;
    if (element !== undefined) {
      return { kind: "element", object, index, type: cType(element), start, end };
    }
    this.checker.notes.error(
      node,
      `An index stands behind a list, a C array or a C pointer, and this is ${article(type)}${this.checker.whyTypeless(type)}`,
    );
    return errorTerm(node);
  }

  dereference(node: Of<"unary">, place: Place): Term {
    const pointer = this.checker.check(node.operand, place);
    const { start, end } = node;
    const c = pointer.type.kind === "c" ? stripped(pointer.type.type) : undefined;
    if (c?.kind === "pointer") {
      return { kind: "dereference", pointer, type: cType(c.target), start, end };
    }
    if (pointer.type.kind !== "error") {
      this.checker.notes.error(node, `* wants a C pointer, and this is ${article(pointer.type)}`);
    }
    return errorTerm(node);
  }

  addressOf(node: Of<"unary">, place: Place): Term {
    const object = this.checker.check(node.operand, place);
    const { start, end } = node;
    if (object.type.kind === "c") return { kind: "addressOf", object, type: INTEGER, start, end };
    if (object.type.kind !== "error") {
      this.checker.notes.error(node, `& wants a C object, and this is ${article(object.type)}`);
    }
    return errorTerm(node);
  }
}
