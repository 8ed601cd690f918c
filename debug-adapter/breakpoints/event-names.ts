/** Names that an event brings to conditions and log messages, before all others. */
import type { Names, Term } from "../expression/evaluate.ts";

export type Fields = Readonly<Record<string, bigint | number | boolean | string | undefined>>;

/** `base` is made only where a name is none of the event's. */
export function withFields(fields: Fields, base: () => Names): Names {
  let made: Names | undefined;
  const rest = (): Names => {
    made ??= base();
    return made;
  };
  const own = (name: string): Term | undefined => {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value === undefined) return undefined;
    return typeof value === "string" ? { text: value } : { number: BigInt(value) };
  };
  return {
    name: (name) => own(name) ?? rest().name(name),
    register: (name) => rest().register(name),
    memory: (space, address, size) => rest().memory(space, address, size),
    qualified: (scope, name) => rest().qualified?.(scope, name),
    get types() {
      return rest().types;
    },
    get home() {
      return rest().home;
    },
  };
}
