/** C's base types as gcc has them, and the type that a type's name means. */
import type { BaseKind, BaseType, PointerType, Type } from "../../symbols/types.ts";
import { UserError } from "../text.ts";
import type { TypeName } from "./syntax.ts";

/** Bytes of a pointer and of a long. */
export type WordSize = 4 | 8;

const base = (name: string, size: number, kind: BaseKind, isSigned: boolean): BaseType => {
  return { kind: "base", name, size, base: kind, isSigned };
};

export const INT = base("int", 4, "signed", true);
export const UNSIGNED = base("unsigned int", 4, "unsigned", false);
export const LONG_LONG = base("long long int", 8, "signed", true);
export const UNSIGNED_LONG_LONG = base("long long unsigned int", 8, "unsigned", false);
export const FLOAT = base("float", 4, "float", true);
export const DOUBLE = base("double", 8, "float", true);

const LONGS: Readonly<Record<WordSize, readonly [BaseType, BaseType]>> = {
  4: [base("long int", 4, "signed", true), base("long unsigned int", 4, "unsigned", false)],
  8: [base("long int", 8, "signed", true), base("long unsigned int", 8, "unsigned", false)],
};

export const longOf = (word: WordSize): BaseType => LONGS[word][0];
export const unsignedLongOf = (word: WordSize): BaseType => LONGS[word][1];

const COMMON: readonly BaseType[] = [
  ...[INT, UNSIGNED, LONG_LONG, UNSIGNED_LONG_LONG, FLOAT, DOUBLE],
  base("char", 1, "char", true),
  base("signed char", 1, "char", true),
  base("unsigned char", 1, "char", false),
  base("short int", 2, "signed", true),
  base("short unsigned int", 2, "unsigned", false),
  base("_Bool", 1, "boolean", false),
  base("__int128", 16, "signed", true),
  base("__int128 unsigned", 16, "unsigned", false),
];
/** For programs whose types are not known. */
const CUSTOMARY: readonly BaseType[] = [1, 2, 4, 8].flatMap((size) => [
  base(`u${size * 8}`, size, "unsigned", false),
  base(`s${size * 8}`, size, "signed", true),
  base(`uint${size * 8}_t`, size, "unsigned", false),
  base(`int${size * 8}_t`, size, "signed", true),
]);

const byName = (types: readonly BaseType[]) => new Map(types.map((each) => [each.name, each]));
const BASE_TYPES: Readonly<Record<WordSize, ReadonlyMap<string, BaseType>>> = {
  4: byName([...COMMON, ...LONGS[4], base("long double", 12, "float", true)]),
  8: byName([...COMMON, ...LONGS[8], base("long double", 16, "float", true)]),
};
const CUSTOMARY_TYPES = byName(CUSTOMARY);

/** What types are called in the programs at hand. */
export interface TypeSource {
  readonly wordSize: WordSize;
  typeNamed(name: string): Type | undefined;
}

/** The type that the programs know by the name, else one that every C program has. */
export function namedType(name: string, source: TypeSource): Type | undefined {
  if (name === "void") return { kind: "void" };
  return (
    BASE_TYPES[source.wordSize].get(name) ?? source.typeNamed(name) ?? CUSTOMARY_TYPES.get(name)
  );
}

export const pointerTo = (target: Type, size: number): PointerType => {
  return { kind: "pointer", size, target };
};

/** Throws a UserError for a name that no program knows. */
export function resolveType({ name, derivations }: TypeName, source: TypeSource): Type {
  let type = namedType(name, source);
  if (type === undefined) throw new UserError(`no type ${name} is known`);
  for (const each of derivations) {
    if (each.kind === "pointer") type = pointerTo(type, source.wordSize);
    else if (each.kind === "array") type = { kind: "array", element: type, count: each.count };
    else {
      const [isPrototyped, isVariadic] = [false, false];
      type = { kind: "function", returns: type, parameters: [], isPrototyped, isVariadic };
    }
  }
  return type;
}
