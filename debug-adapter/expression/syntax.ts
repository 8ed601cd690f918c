/** What expressions are made of once they are parsed. */

export type BinaryOperator =
  | ("||" | "&&" | "|" | "^" | "&" | "==" | "!=" | "<" | "<=" | ">" | ">=")
  | ("<<" | ">>" | "+" | "-" | "*" | "/" | "%");
export type UnaryOperator = "-" | "+" | "~" | "!" | "*" | "&";

/** Around the type's own name, the innermost first: "char *[4]" is an array of pointers. */
export type Derivation =
  | { readonly kind: "pointer" }
  | { readonly kind: "array"; readonly count: number | undefined }
  | { readonly kind: "function" };

export interface TypeName {
  /** As C writes it, base types in gcc's order: "struct vmcb", "u64", "long unsigned int". */
  readonly name: string;
  readonly derivations: readonly Derivation[];
}

export type Node = { readonly at: number } & (
  | { readonly kind: "integer"; readonly value: bigint; readonly literal: IntegerLiteral }
  | { readonly kind: "float"; readonly value: number; readonly isSingle: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "name"; readonly name: string }
  /** image!name, or 'file.c'::name. */
  | { readonly kind: "qualified"; readonly scope: string; readonly name: string }
  | { readonly kind: "register"; readonly name: string }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Node }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Node;
      readonly right: Node;
    }
  | {
      readonly kind: "conditional";
      readonly condition: Node;
      readonly whenTrue: Node;
      readonly whenFalse: Node;
    }
  | {
      readonly kind: "member";
      readonly object: Node;
      readonly name: string;
      readonly arrow: boolean;
    }
  | { readonly kind: "index"; readonly object: Node; readonly index: Node }
  | { readonly kind: "cast"; readonly type: TypeName; readonly operand: Node }
  | { readonly kind: "sizeofType"; readonly type: TypeName }
  | { readonly kind: "sizeof"; readonly operand: Node }
  /** Memory in an address space named as in a memory reference ("gva@g1"). */
  | {
      readonly kind: "memory";
      readonly space: string;
      readonly address: Node;
      readonly size: Node | undefined;
    }
  /** `operator` is undefined for a plain assignment. */
  | {
      readonly kind: "assignment";
      readonly operator: BinaryOperator | undefined;
      readonly target: Node;
      readonly value: Node;
      /** x++ and x--: worth what was there before. */
      readonly isPostfix: boolean;
    }
  /** Whether "(name) -1" casts depends on what the names stand for: parsed again when known. */
  | {
      readonly kind: "ambiguous";
      readonly names: readonly string[];
      readonly parse: (isType: (name: string) => boolean) => Node;
    }
);

export interface IntegerLiteral {
  readonly isDecimal: boolean;
  readonly isUnsigned: boolean;
  /** Number of Ls in its suffix. */
  readonly longs: number;
}
