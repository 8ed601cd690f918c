/** What a name of an .inv file means, as hover shows it in Markdown. */
import type { Described, Reference, Type } from "../language/index.ts";
import { typeName } from "../language/index.ts";
import { BUILT_INS, RECORD_DOCS } from "../model/index.ts";

/** Undefined where there is nothing to say. */
export function describeReference({ referent, type }: Reference): string | undefined {
  const { globals, functions, constants, records } = BUILT_INS;
  switch (referent.kind) {
    case "global":
      return described(referent.name, globals.get(referent.name));
    case "function": {
      const found = functions.get(referent.name);
      const parameters = found?.parameters.map((each) => {
        const { name, type: of } = each;
        return `${name}: ${typeof of === "string" ? of : typeName(of)}`;
      });
      return described(`${referent.name}(${(parameters ?? []).join(", ")})`, found);
    }
    case "constant": {
      const found = constants.get(referent.name);
      return described(
        `${referent.name} = 0x${BigInt.asUintN(64, found?.value ?? 0n).toString(16)}`,
        found,
      );
    }
    case "field":
      return described(
        `${referent.record}.${referent.name}`,
        records.get(referent.record)?.get(referent.name),
      );
    case "variable":
      return code(
        `${referent.variable.name}: ${typeName(referent.variable.type)}`,
        recordDoc(type),
      );
    case "definition":
      return code(`define ${referent.name}${type === undefined ? "" : `: ${typeName(type)}`}`);
    case "symbol":
    case "member":
      return code(
        `${referent.name}${type === undefined ? "" : `: ${typeName(type)}`}`,
        "Of the hypervisor's program.",
      );
    case "enumerator":
      return code(referent.name, "An enumerator of the hypervisor's program.");
    case "event":
      return code(referent.name, "An event at which the invariant is judged.");
    default:
      return code(referent.name);
  }
}

function described(head: string, found: Described | undefined): string | undefined {
  if (found === undefined) return undefined;
  const section =
    found.section === undefined ? "" : ` AMD manual, volume 2, ${sectionName(found.section)}.`;
  return code(`${head}: ${typeName(found.type)}`, `${found.doc}${section}`);
}

const sectionName = (section: string): string =>
  /^\d/.test(section) ? `section ${section}` : section;

const recordDoc = (type: Type | undefined): string | undefined =>
  type?.kind === "record" ? RECORD_DOCS.get(type.record) : undefined;

function code(text: string, doc?: string): string {
  return `\`\`\`inv\n${text}\n\`\`\`${doc === undefined ? "" : `\n\n${doc}`}`;
}
