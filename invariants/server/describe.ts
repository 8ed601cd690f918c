/** What a name of an .inv file means, as hover shows it in Markdown. */
import {
  type Described,
  type Item,
  type Reference,
  type Type,
  typeName,
} from "../language/index.ts";
import { EVENT_DOCS } from "../model/event-docs.ts";
import { BUILT_INS, RECORD_DOCS } from "../model/index.ts";
import type { CDescription } from "./hypervisor.ts";

/** What else is known of the name. */
export interface Background {
  /** The definition or invariant that it stands for. */
  readonly item: Exclude<Item, { kind: "memory" }> | undefined;
  /** The program's name that it is. */
  readonly c: CDescription | undefined;
  /** Where that is declared, as Markdown. */
  readonly place: string | undefined;
}

/** Undefined where there is nothing to say. */
export function describeReference(
  { referent, type }: Reference,
  { item, c, place }: Background,
): string | undefined {
  if (c !== undefined) return describeC(c, place);
  const { globals, records } = BUILT_INS;
  switch (referent.kind) {
    case "global":
      return described(referent.name, globals.get(referent.name));
    case "function":
      return describeFunction(referent.name);
    case "constant":
    case "exit":
      return describeConstant(referent.name);
    case "msr":
      return describeConstant(`MSR_${referent.name}`);
    case "exception":
      return describeConstant(`VECTOR_${referent.name}`);
    case "field": {
      const { record, name } = referent;
      return described(`${record}.${name}`, records.get(record)?.get(name));
    }
    case "variable": {
      const { variable } = referent;
      return code(`${variable.name}: ${typeName(variable.type)}`, recordDoc(type));
    }
    case "definition":
    case "invariant":
      return item && describeItem(item, type);
    case "event":
      return code(referent.name, EVENT_DOCS[referent.name]);
    case "type":
      return code(referent.name, recordDoc(type));
    default:
      return code(`${referent.name}${type === undefined ? "" : `: ${typeName(type)}`}`);
  }
}

function describeC({ declaration, facts }: CDescription, place: string | undefined): string {
  const all = [...facts, ...(place === undefined ? [] : [`declared at ${place}`])].join(", ");
  const sentence = all === "" ? "" : `${all.charAt(0).toUpperCase()}${all.slice(1)}.`;
  return code(declaration, sentence, "c");
}

function describeFunction(name: string): string | undefined {
  const found = BUILT_INS.functions.get(name);
  const parameters = (found?.parameters ?? []).map((each) => {
    const { name: parameter, type } = each;
    return `${parameter}: ${typeof type === "string" ? type : typeName(type)}`;
  });
  return described(`${name}(${parameters.join(", ")})`, found);
}

function describeConstant(name: string): string | undefined {
  const found = BUILT_INS.constants.get(name);
  if (found === undefined) return undefined;
  return described(`${name} = 0x${BigInt.asUintN(64, found.value).toString(16)}`, found);
}

function describeItem(item: Exclude<Item, { kind: "memory" }>, type: Type | undefined): string {
  const doc = item.doc?.text ?? "";
  if (item.kind === "invariant") {
    const events = item.events.map(({ name, arguments: of, range }) => {
      return [range === undefined ? name : `${name}(...)`, ...of.map(({ text }) => text)].join(" ");
    });
    const source = item.source === undefined ? "" : ` Source: ${item.source.text}.`;
    return code(`invariant ${item.name.text} on ${events.join(", ")}`, `${sentence(doc)}${source}`);
  }
  const parameters = item.parameters.map((each) => `${each.name.text}: ${each.type.text}`);
  const head = `define ${item.name.text}${parameters.length === 0 ? "" : `(${parameters.join(", ")})`}`;
  return code(`${head}${type === undefined ? "" : `: ${typeName(type)}`}`, sentence(doc));
}

const sentence = (text: string): string => (text === "" || text.endsWith(".") ? text : `${text}.`);

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

function code(text: string, doc = "", language = "inv"): string {
  return `\`\`\`${language}\n${text}\n\`\`\`${doc === "" ? "" : `\n\n${doc}`}`;
}
