/** What an invariant says, as a text: two that say the same have the same, wherever they are written. */
import type { HypervisorMemory } from "./hypervisor-memory.ts";
import type { CheckedInvariant, Definition } from "./language/term.ts";

/** Where something stands, and the types, which follow from the names. */
const LEFT_OUT: ReadonlySet<string> = new Set(["start", "end", "type"]);

/** Of invariants about one program: the same names then stand for the same things, but for hv.memory. */
export function identityOf(
  { name, events, phase, body }: CheckedInvariant,
  declared: HypervisorMemory | undefined,
): string {
  const said = new Set<Definition>();
  return JSON.stringify([name, events, phase, body, declared], (key, value: unknown) => {
    if (LEFT_OUT.has(key)) return undefined;
    if (typeof value === "bigint") return `${value}n`;
    if (key !== "definition") return value;
    // Said once: definitions that use others twice each would be endless.
    const definition = value as Definition;
    if (said.has(definition)) return definition.name;
    said.add(definition);
    return definition;
  });
}
