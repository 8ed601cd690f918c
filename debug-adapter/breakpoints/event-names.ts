/** Names that an event brings to conditions and log messages, before all others. */
import type { TypeSource } from "../expression/base-types.ts";
import type { Home } from "../expression/home.ts";
import type { Names, Term } from "../expression/term.ts";

export type Fields = Readonly<Record<string, bigint | number | boolean | string | undefined>>;

/** The rest is made only where a name is none of the event's. */
export class EventNames implements Names {
  private readonly fields: Fields;
  private readonly makeRest: () => Names;
  private made: Names | undefined;

  constructor(fields: Fields, makeRest: () => Names) {
    this.fields = fields;
    this.makeRest = makeRest;
  }

  private get rest(): Names {
    this.made ??= this.makeRest();
    return this.made;
  }

  name(name: string): Term | undefined {
    const value = Object.hasOwn(this.fields, name) ? this.fields[name] : undefined;
    if (value === undefined) return this.rest.name(name);
    return typeof value === "string" ? { text: value } : { number: BigInt(value) };
  }

  register(name: string): Term | undefined {
    return this.rest.register(name);
  }

  memory(space: string, address: bigint, size: number): Term {
    return this.rest.memory(space, address, size);
  }

  qualified(scope: string, name: string): Term | undefined {
    return this.rest.qualified?.(scope, name);
  }

  get types(): TypeSource {
    const { types } = this.rest;
    if (types === undefined) throw new Error("No types where a breakpoint is");
    return types;
  }

  get home(): Home | undefined {
    return this.rest.home;
  }
}
