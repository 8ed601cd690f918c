// A variable of the source: its name, type, and where it lives in a given frame.
import { At, Tag } from "./dwarf/constants.ts";
import type { Entry } from "./dwarf/entry.ts";
import { type ExpressionContext, evaluate } from "./dwarf/expression.ts";
import { type AttributeValue, asConstant, asExpression, asNumber } from "./dwarf/forms.ts";
import { expressionAt } from "./dwarf/location-list.ts";
import { FormatError } from "./dwarf/reader.ts";
import { baseType, type TypeReader } from "./dwarf/type-reader.ts";
import { type FrameState, type Location, toBytes } from "./location.ts";
import { sizeOf, type Type } from "./types.ts";

export interface Variable {
  readonly name: string;
  readonly kind: "parameter" | "local" | "static" | "global";
  readonly type: Type;
  /** Line of its declaration. */
  readonly line: number | undefined;
  /** Path of the file that declares it: the source, or a file that it includes. */
  readonly declaredIn?: string | undefined;
  /** The source file that was compiled, as the compiler was given it. */
  readonly file?: string | undefined;
  /** A variable of an inner block has the same name. */
  readonly isShadowed: boolean;
  /**
   * Where it lives in the frame whose state is given, at the pc that the variable was asked for.
   * Never throws: what cannot be had is `unavailable` with a reason for the user.
   */
  locate(state: FrameState): Location;
}

/** What a variable's location is relative to. */
export interface VariableScope {
  readonly pc: bigint;
  /** The concrete function around it; undefined for globals. */
  readonly function: Entry | undefined;
  /** Addresses before this one belong to the function's prologue. */
  readonly body: bigint | undefined;
  readonly cfa: (state: FrameState) => Location;
  /** What a register held at the entry of the function; undefined where nobody says it. */
  readonly entryValue: (register: number, state: FrameState) => bigint | undefined;
  /** Bytes of a register by its DWARF number; undefined for one whose contents are not plain. */
  readonly registerSize: (register: number) => number | undefined;
}

/** The path of a DW_AT_decl_file number of a unit. */
type PathOf = (unit: Entry["unit"], file: number | undefined) => string | undefined;

const OPTIMISED_OUT: Location = { kind: "unavailable", reason: "optimised out" };

/** Whether the entry's location is an address that needs no frame (a global or static). */
function isStatic(entry: Entry): boolean {
  const expression = asExpression(entry.inherited(At.location));
  return expression !== undefined && (expression[0] === 0x03 || expression[0] === 0xa1);
}

export function makeVariable(
  entry: Entry,
  scope: VariableScope,
  types: TypeReader,
  isShadowed: boolean,
  pathOf: PathOf,
): Variable {
  let kind: Variable["kind"] = "local";
  if (entry.tag === Tag.formalParameter) kind = "parameter";
  else if (!scope.function) kind = "global";
  else if (isStatic(entry)) kind = "static";
  let known: Type | undefined;
  const type = () => {
    known ??= types.typeOf(entry);
    return known;
  };
  return {
    name: entry.name ?? "",
    kind,
    get type() {
      return type();
    },
    line: entry.declarationLine,
    get declaredIn() {
      const owner = entry.owner(At.declFile);
      return owner && pathOf(owner.unit, asNumber(owner.get(At.declFile)));
    },
    file: entry.unit.root.name,
    isShadowed,
    locate(state) {
      try {
        return locate(entry, scope, type(), state);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        const reason = `damaged debug information (${error.message})`;
        return { kind: "unavailable", reason };
      }
    },
  };
}

function locate(entry: Entry, scope: VariableScope, type: Type, state: FrameState): Location {
  const owner = entry.owner(At.location);
  const value = owner?.get(At.location);
  if (!owner || !value) return constantOf(entry.inherited(At.constValue), type);
  const expression = expressionAt(owner.unit, value, scope.pc);
  if (!expression) return { kind: "unavailable", reason: "optimised out at this pc" };
  const context = contextOf(owner, scope, state);
  const location = evaluate(expression, context);
  if (entry.tag === Tag.formalParameter && asExpression(value)) {
    if (isBeforeStore(location, scope, state)) {
      return { kind: "unavailable", reason: "not stored yet: the function's prologue is running" };
    }
  }
  return checkRegister(location, scope, type);
}

/** A value that is the same everywhere (DW_AT_const_value). */
function constantOf(value: AttributeValue | undefined, type: Type): Location {
  const constant = asConstant(value);
  const size = sizeOf(type);
  if (constant !== undefined && size !== undefined) {
    return { kind: "value", bytes: toBytes(constant, size) };
  }
  if (value?.kind === "block") return { kind: "value", bytes: value.value };
  if (value?.kind === "string") {
    return { kind: "value", bytes: new TextEncoder().encode(`${value.value}\0`) };
  }
  return OPTIMISED_OUT;
}

/**
 * Without a location list the compiler claims the parameter's slot for the whole function, but the
 * prologue only fills it: slots below the CFA are the function's own, those above the caller's.
 */
function isBeforeStore(location: Location, scope: VariableScope, state: FrameState): boolean {
  if (location.kind !== "memory" || scope.body === undefined || scope.pc >= scope.body)
    return false;
  const cfa = scope.cfa(state);
  return cfa.kind === "memory" && location.address < cfa.address;
}

/** Refuses a register that cannot hold the type as plain bytes. */
function checkRegister(location: Location, scope: VariableScope, type: Type): Location {
  if (location.kind !== "register") return location;
  const size = scope.registerSize(location.register);
  if (size === undefined) {
    return { kind: "unavailable", reason: "not available yet: it is in an x87 or MMX register" };
  }
  if ((sizeOf(type) ?? 0) <= size) return location;
  return { kind: "unavailable", reason: "larger than the register that holds it" };
}

export function contextOf(
  entry: Entry,
  scope: VariableScope,
  state: FrameState,
): ExpressionContext {
  const { unit } = entry;
  const { addressSize, offsetSize, unitOffset } = unit.header;
  return {
    addressSize,
    offsetSize,
    state,
    cfa: () => scope.cfa(state),
    frameBase: () => frameBase(scope, state),
    addressAt: (index) => unit.addressAt(index),
    entryValue: (register) => scope.entryValue(register, state),
    baseType: (offset) => {
      const target = unit.entries.get(unitOffset + offset);
      if (target?.tag !== Tag.baseType) return undefined;
      const { size, base, isSigned } = baseType(target);
      const kind = base === "float" ? "float" : isSigned ? "signed" : "unsigned";
      return { size, kind };
    },
    callee: (offset) => {
      const target = unit.entries.get(unitOffset + offset);
      const value = target?.get(At.location);
      return value && expressionAt(unit, value, scope.pc);
    },
  };
}

function frameBase(scope: VariableScope, state: FrameState): Location {
  const owner = scope.function?.owner(At.frameBase);
  const value = owner?.get(At.frameBase);
  const expression = owner && value && expressionAt(owner.unit, value, scope.pc);
  if (!owner || !expression) {
    return { kind: "unavailable", reason: "the frame base of this function is not known" };
  }
  const { addressSize, offsetSize } = owner.unit.header;
  const cfa = () => scope.cfa(state);
  return evaluate(expression, { addressSize, offsetSize, state, cfa });
}
