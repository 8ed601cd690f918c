// C types as the debugger shows them: their shape, size and name in C syntax.

/** How the bits of a base type are read. */
export type BaseKind = "signed" | "unsigned" | "char" | "boolean" | "float" | "other";

export interface BaseType {
  readonly kind: "base";
  readonly name: string;
  readonly size: number;
  readonly base: BaseKind;
  readonly isSigned: boolean;
}

export interface PointerType {
  readonly kind: "pointer";
  readonly size: number;
  readonly target: Type;
}

export interface RecordType {
  readonly kind: "struct" | "union";
  /** Undefined for an unnamed one. */
  readonly name: string | undefined;
  readonly size: number;
  /** Only declared in this program: its members and size are not known. */
  readonly isIncomplete: boolean;
  readonly members: readonly Member[];
}

export interface Member {
  /** Empty for an unnamed struct or union member. */
  readonly name: string;
  readonly type: Type;
  /** In bits from the start of the record, the least significant first. */
  readonly bitOffset: number;
  /** Undefined for a member that is no bit field. */
  readonly bitSize: number | undefined;
}

export interface ArrayType {
  readonly kind: "array";
  readonly element: Type;
  /** Undefined for an array of unknown length. */
  readonly count: number | undefined;
}

export interface EnumType {
  readonly kind: "enum";
  readonly name: string | undefined;
  readonly size: number;
  readonly isSigned: boolean;
  readonly enumerators: readonly { readonly name: string; readonly value: bigint }[];
}

export interface TypedefType {
  readonly kind: "typedef";
  readonly name: string;
  readonly target: Type;
}

export interface QualifiedType {
  readonly kind: "qualified";
  readonly qualifier: "const" | "volatile" | "restrict" | "_Atomic";
  readonly target: Type;
}

export interface FunctionType {
  readonly kind: "function";
  readonly returns: Type;
  readonly parameters: readonly Type[];
  readonly isPrototyped: boolean;
  readonly isVariadic: boolean;
}

export interface VoidType {
  readonly kind: "void";
}

/** A type that could not be read; `reason` says why. */
export interface UnknownType {
  readonly kind: "unknown";
  readonly reason: string;
}

/** Targets, elements and members are read when they are asked for: types may be recursive. */
export type Type =
  | BaseType
  | PointerType
  | RecordType
  | ArrayType
  | EnumType
  | TypedefType
  | QualifiedType
  | FunctionType
  | VoidType
  | UnknownType;

/** Deeper chains of typedefs, qualifiers or arrays are those of damaged input. */
const MAX_DEPTH = 64;

/** The type behind typedefs and qualifiers. */
export function stripped(type: Type): Exclude<Type, TypedefType | QualifiedType> {
  let current = type;
  for (let i = 0; i < MAX_DEPTH; i++) {
    if (current.kind !== "typedef" && current.kind !== "qualified") return current;
    current = current.target;
  }
  return { kind: "unknown", reason: "damaged debug information: type without an end" };
}

/** In bytes; undefined where it is not known (incomplete types, arrays of unknown length). */
export function sizeOf(type: Type): number | undefined {
  let factor = 1;
  let current = stripped(type);
  for (let i = 0; i < MAX_DEPTH && current.kind === "array"; i++) {
    if (current.count === undefined) return undefined;
    factor *= current.count;
    current = stripped(current.element);
  }
  switch (current.kind) {
    case "base":
    case "pointer":
    case "enum":
      return factor * current.size;
    case "struct":
    case "union":
      return current.isIncomplete ? undefined : factor * current.size;
    default:
      return undefined;
  }
}

/** The type in C syntax without a name, e.g. "char *(*)[4]". */
export function typeName(type: Type): string {
  return declaration(type, "", 0);
}

/** What declares `name` to be of the type, e.g. "char *(*table)[4]". */
export function declarationText(type: Type, name: string): string {
  return declaration(type, name, 0);
}

/** C declarators read inside out: `inner` is what the type so far applies to. */
function declaration(type: Type, inner: string, depth: number): string {
  if (depth > MAX_DEPTH) return `...${inner}`;
  switch (type.kind) {
    case "pointer":
      return declaration(type.target, pointerDeclarator(type.target, inner), depth + 1);
    case "array":
      return declaration(type.element, `${inner}[${type.count ?? ""}]`, depth + 1);
    case "function":
      return declaration(type.returns, `${inner}(${parameterNames(type, depth)})`, depth + 1);
    case "qualified":
      return qualifiedDeclaration(type, inner, depth);
    default:
      return joined(plainName(type), inner);
  }
}

function pointerDeclarator(target: Type, inner: string): string {
  const text = `*${inner}`;
  return target.kind === "array" || target.kind === "function" ? `(${text})` : text;
}

/** "char *const" puts the qualifier of a pointer behind the star, others stand in front. */
function qualifiedDeclaration(type: QualifiedType, inner: string, depth: number): string {
  let target: Type = type;
  const words: string[] = [];
  for (let i = 0; target.kind === "qualified" && i < MAX_DEPTH; i++) {
    words.push(target.qualifier);
    target = target.target;
  }
  if (target.kind === "array") {
    // A qualified array is an array of qualified elements; gcc may say both.
    const { element, count } = target;
    const same = element.kind === "qualified" && words.includes(element.qualifier);
    const inside: Type = same ? element : { ...type, target: element };
    return declaration({ kind: "array", element: inside, count }, inner, depth + 1);
  }
  if (target.kind === "pointer") {
    const behind = inner === "" || /^[[)]/.test(inner) ? inner : ` ${inner}`;
    const text = `* ${words.join(" ")}${behind}`;
    const pointee = target.target;
    const wrap = pointee.kind === "array" || pointee.kind === "function";
    return declaration(pointee, wrap ? `(${text})` : text, depth + 1);
  }
  return `${words.join(" ")} ${declaration(target, inner, depth + 1)}`;
}

function parameterNames(type: FunctionType, depth: number): string {
  const names = type.parameters.map((each) => declaration(each, "", depth + 1));
  if (type.isVariadic) names.push("...");
  if (names.length === 0 && type.isPrototyped) return "void";
  return names.join(", ");
}

function plainName(type: Type): string {
  switch (type.kind) {
    case "struct":
    case "union":
    case "enum":
      return `${type.kind} ${type.name ?? "{...}"}`;
    case "base":
    case "typedef":
      return type.name;
    case "void":
      return "void";
    default:
      return "<unknown type>";
  }
}

function joined(name: string, inner: string): string {
  return inner === "" ? name : `${name} ${inner}`;
}
