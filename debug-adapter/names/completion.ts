/** Every name that an expression may begin with, for completion. */

import type { ImageSymbols } from "../../symbols/image-symbols.ts";
import { typeName } from "../../symbols/types.ts";
import type { Debuggee } from "../debuggee.ts";
import type { Completion, CompletionSource } from "../expression/completion.ts";
import type { Image } from "../images.ts";
import { frameNames } from "../names.ts";
import type { CodeFrame } from "../stack.ts";
import { EXIT_FIELD_NAMES } from "./exit.ts";
import { REGISTER_NAMES } from "./machine.ts";

const GROUPS: readonly (readonly [string, string])[] = [
  ["vmcb", "the VMCB last run"],
  ["guest", "registers of the guest"],
  ["host", "registers of the host"],
  ["msr", "model-specific registers"],
  ["exit", "fields of the last exit"],
  ["current", "task that the Linux kernel runs"],
];

/** "struct vmcb" of the images, and C's own. */
const BASE_TYPES: readonly string[] = [
  ...["char", "int", "long", "short", "unsigned", "void", "_Bool", "float", "double"],
  ...["u8", "u16", "u32", "u64"],
];

export function completionSource(
  debuggee: Debuggee,
  frame: CodeFrame | undefined,
  commands: readonly string[],
): CompletionSource {
  const images = debuggee.images.all;
  const world = frame?.world ?? debuggee.world;
  const nearestFirst = [...images].sort(
    (a, b) => Number(b.world === world) - Number(a.world === world),
  );
  return {
    names: frameNames(debuggee, frame),
    registers,
    *bare() {
      yield* locals(frame);
      if (debuggee.exits.last !== undefined) yield* exitFields();
      yield { label: "vmcb", type: "variable", detail: "the VMCB last run" };
      for (const image of nearestFirst) yield* imageNames(image);
      for (const { name } of images) yield { label: name, text: `${name}!`, type: "module" };
      for (const label of REGISTER_NAMES) yield { label, type: "variable", detail: "register" };
      yield { label: "sizeof", type: "keyword" };
    },
    *types() {
      for (const label of BASE_TYPES) yield { label, type: "class" };
      for (const { symbols } of nearestFirst) {
        yield* typeNames(symbols);
      }
    },
    ofImage: (name) => {
      const image = images.find((each) => each.name === name || each.name.startsWith(`${name}.`));
      return image && imageNames(image);
    },
    *commands() {
      for (const label of commands) yield { label, type: "keyword", detail: "command" };
    },
  };
}

const TAGS = ["struct", "union", "enum"] as const;

/** Names of records are written with their tag, which is looked for when one is shown. */
function* typeNames(symbols: ImageSymbols): Iterable<Completion> {
  for (const label of symbols.typeNames?.() ?? []) {
    const tag = () => TAGS.find((each) => symbols.typeNamed(`${each} ${label}`));
    yield {
      label,
      type: "class",
      get text() {
        const found = symbols.typeNamed(label) ? undefined : tag();
        return found && `${found} ${label}`;
      },
      get detail() {
        return tag();
      },
    };
  }
}

function* registers(): Iterable<Completion> {
  for (const label of REGISTER_NAMES) yield { label, type: "variable", detail: "register" };
  for (const [label, detail] of GROUPS) yield { label, type: "variable", detail };
}

function* locals(frame: CodeFrame | undefined): Iterable<Completion> {
  for (const each of frame?.variables ?? []) {
    if (!each.isShadowed && each.name !== "") {
      yield { label: each.name, type: "variable", detail: typeName(each.type) };
    }
  }
}

function* exitFields(): Iterable<Completion> {
  for (const label of EXIT_FIELD_NAMES) yield { label, type: "field", detail: "of the last exit" };
}

/** Variables before functions and labels, then enumerators. */
function* imageNames({ symbols, name }: Image): Iterable<Completion> {
  for (const label of symbols.globalNames?.() ?? []) {
    yield {
      label,
      type: "variable",
      get detail() {
        const [variable] = symbols.globalsNamed(label);
        return variable && typeName(variable.type);
      },
    };
  }
  for (const label of symbols.symbols.names()) {
    if (!/^[A-Za-z_]\w*$/.test(label)) continue;
    yield {
      label,
      get type() {
        return symbols.symbols.named(label)[0]?.kind === "object" ? "variable" : "function";
      },
      detail: name,
    };
  }
  for (const label of symbols.enumeratorNames?.() ?? []) {
    yield { label, type: "enum", detail: name };
  }
}
