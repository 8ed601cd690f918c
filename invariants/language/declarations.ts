/** What the checker asks about names that an .inv file does not define itself. */
import type { Type as CType } from "../../symbols/types.ts";
import type { EventName } from "./syntax.ts";
import type { Type } from "./types.ts";

/** What a hover says of a built-in name. */
export interface Described {
  readonly type: Type;
  /** One sentence. */
  readonly doc: string;
  /** Of the AMD manual, volume 2, as "15.25.6". */
  readonly section?: string;
}

/** A built-in global; some have a meaning at certain events only. */
export interface GlobalDeclaration extends Described {
  readonly events?: readonly EventName[];
}

/** A built-in function. Arguments of `any range` agree in their space. */
export interface FunctionDeclaration extends Described {
  readonly parameters: readonly {
    readonly name: string;
    readonly type: Type | "any range" | "any list";
  }[];
}

/** All that is built in: one table each in invariants/model. */
export interface BuiltIns {
  readonly globals: ReadonlyMap<string, GlobalDeclaration>;
  readonly functions: ReadonlyMap<string, FunctionDeclaration>;
  /** Fields of each record, by its name. */
  readonly records: ReadonlyMap<string, ReadonlyMap<string, Described>>;
  /** Named integers: exits, MSRs, flags. */
  readonly constants: ReadonlyMap<string, Described & { readonly value: bigint }>;
  readonly exits: ReadonlySet<string>;
  readonly msrs: ReadonlySet<string>;
  readonly exceptions: ReadonlySet<string>;
}

/** The hypervisor's own names, from its debug information. */
export interface ProgramNames {
  /** Why names may be missing, where some are: "a.elf has no debug information: compile it with -g". */
  readonly problem?: string | undefined;
  global(name: string): { readonly type: CType } | undefined;
  /** Parameters by name and the type of the result. */
  function(
    name: string,
  ):
    | { readonly parameters: ReadonlyMap<string, CType>; readonly result: CType | undefined }
    | undefined;
  /** Places where a function's code stands in another's, and runs without a call. */
  inlinedPlaces?(name: string): number;
  enumerator(name: string): bigint | undefined;
  typeNamed(name: string): CType | undefined;
  /** What expressions may name, for completion and "did you mean". */
  names(): Iterable<string>;
  /** Types without their tags. */
  typeNames?(): Iterable<string>;
  /** What events may name. */
  functionNames(): Iterable<string>;
}
