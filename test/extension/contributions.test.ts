// What package.json contributes against what the code refers to.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  INVARIANT_POLICIES,
  RECORDING_ATTRIBUTES,
  STEP_POLICIES,
} from "../../debug-adapter/protocol.ts";
import {
  ASSEMBLY_LANGUAGE,
  COMMANDS,
  CONTEXT_KEYS,
  DEBUG_TYPE,
  EDITORS,
  INVARIANT_LANGUAGE,
  ROW_CONTEXTS,
  VIEWS,
} from "../../extension/contributions.ts";
import { readSource, repository } from "../tidy/sources.ts";

interface MenuItem {
  readonly command: string;
  readonly when?: string;
  readonly group?: string;
}

interface Keybinding {
  readonly command: string;
  readonly key: string;
  readonly when: string;
}

interface Schema {
  readonly required?: readonly string[];
  readonly properties: Readonly<Record<string, object>>;
}

interface Manifest {
  readonly engines: { readonly vscode: string };
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly activationEvents: readonly string[];
  readonly contributes: {
    readonly commands: readonly {
      readonly command: string;
      readonly category: string;
      readonly icon?: string;
      readonly enablement?: string;
    }[];
    readonly keybindings: readonly Keybinding[];
    readonly viewsContainers: { readonly panel: readonly { readonly id: string }[] };
    readonly customEditors: readonly { readonly viewType: string }[];
    readonly views: Readonly<Record<string, readonly { readonly id: string }[]>>;
    readonly menus: Readonly<Record<string, readonly MenuItem[]>>;
    readonly debuggers: readonly {
      readonly type: string;
      readonly languages: readonly string[];
      readonly configurationAttributes: Readonly<Record<"launch" | "attach", Schema>>;
      readonly configurationSnippets: readonly {
        readonly body: Readonly<Record<string, unknown>>;
      }[];
    }[];
    readonly breakpoints: readonly { readonly language: string }[];
    readonly languages: readonly { readonly id: string; readonly configuration?: string }[];
    readonly grammars: readonly {
      readonly language?: string;
      readonly scopeName: string;
      readonly path: string;
    }[];
    readonly viewsWelcome: readonly { readonly contents: string }[];
  };
}

const read = (path: string): unknown => JSON.parse(readFileSync(join(repository, path), "utf8"));
const manifest = read("package.json") as Manifest;
const { contributes } = manifest;
const [contributedDebugger] = contributes.debuggers;

test("commands are those of the constants, all in one category", () => {
  const ids = contributes.commands.map(({ command }) => command);
  expect(ids.sort()).toEqual(Object.values(COMMANDS).sort());
  expect(new Set(contributes.commands.map(({ category }) => category))).toEqual(
    new Set(["MinVisor"]),
  );
});

test("commands named in texts exist", () => {
  const text = JSON.stringify(contributes.viewsWelcome);
  const named = [...text.matchAll(/\(command:([\w.]+)\)/g)].map(([, id]) => id!);
  expect(named.length).toBeGreaterThan(0);
  expect(Object.values(COMMANDS)).toEqual(expect.arrayContaining(named));
});

test("menus show commands that exist; those in toolbars have an icon", () => {
  const items = Object.entries(contributes.menus).flatMap(([menu, all]) =>
    all.map((item) => ({ menu, ...item })),
  );
  const icons = new Map(contributes.commands.map(({ command, icon }) => [command, icon]));
  const isInToolbar = ({ menu, group = "" }: { readonly menu: string; readonly group?: string }) =>
    menu === "debug/toolBar" || /^(?:navigation|inline)/.test(group);
  expect(items.filter(({ command }) => !icons.has(command))).toEqual([]);
  expect(items.filter((item) => isInToolbar(item) && !icons.get(item.command))).toEqual([]);
});

test("keys are for commands that exist, while a machine of ours stands still", () => {
  const ids: readonly string[] = Object.values(COMMANDS);
  for (const { command, key, when } of contributes.keybindings) {
    if (command.startsWith("minvisor.")) expect(ids).toContain(command);
    else expect(command).toMatch(/^workbench\.action\.debug\./);
    expect(when, key).toContain(`debugType == ${DEBUG_TYPE} && debugState == stopped`);
  }
  const taken = contributes.keybindings.map(({ key, when }) => `${key} ${when}`);
  expect(new Set(taken).size).toBe(taken.length);
});

test("keys in conditions are those of the constants", () => {
  const conditions = [...Object.values(contributes.menus).flat(), ...contributes.keybindings].map(
    ({ when }) => when,
  );
  const enablements = contributes.commands.map(({ enablement }) => enablement);
  const text = [...conditions, ...enablements].join("\n");
  const own = [...text.matchAll(/(?<![=/.\w\\]\s?)\bminvisor\.\w+/g)].map(([name]) => name);
  expect(new Set(own)).toEqual(new Set(Object.values(CONTEXT_KEYS)));
});

test("editors are those of the constants", () => {
  expect(contributes.customEditors.map(({ viewType }) => viewType)).toEqual(Object.values(EDITORS));
});

test("views and their rows are those of the constants", () => {
  const containers = Object.keys(contributes.views);
  const own = contributes.viewsContainers.panel.map(({ id }) => id);
  expect(containers.sort()).toEqual(["debug", ...own].sort());
  const views = Object.values(contributes.views).flat();
  expect(views.map(({ id }) => id).sort()).toEqual(Object.values(VIEWS).sort());
  const conditions = contributes.menus["view/item/context"]!.map(({ when }) => when!);
  for (const condition of conditions) {
    expect(Object.values(VIEWS)).toContain(/^view == (\S+) && /.exec(condition)?.[1]);
    const pattern = /viewItem =~ \/(.*)\//.exec(condition)?.[1];
    const wanted = /viewItem == (\S+)/.exec(condition)?.[1];
    const shown = Object.values(ROW_CONTEXTS).filter((row) =>
      pattern === undefined ? row === wanted : new RegExp(pattern).test(row),
    );
    expect(shown, condition).not.toEqual([]);
  }
});

describe("the debugger", () => {
  test("has the type and languages of the constants", () => {
    expect(contributedDebugger!.type).toBe(DEBUG_TYPE);
    expect(contributedDebugger!.languages).toContain(ASSEMBLY_LANGUAGE);
    expect(contributes.breakpoints.map(({ language }) => language)).toEqual(
      contributedDebugger!.languages,
    );
    expect(manifest.activationEvents.every((event) => event.endsWith(`:${DEBUG_TYPE}`))).toBe(true);
  });

  /** Names in an interface of protocol.ts. */
  function attributesOf(name: string): string[] {
    const text = readSource("debug-adapter/protocol.ts");
    const body = new RegExp(
      `export interface ${name}(?: extends \\w+)? \\{([\\s\\S]*?)\\n\\}`,
    ).exec(text)![1]!;
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, attribute]) => attribute!);
  }

  test("has a schema for each launch attribute of the adapter, and for no other", () => {
    const { required, properties } = contributedDebugger!.configurationAttributes.launch;
    expect(Object.keys(properties).sort()).toEqual(attributesOf("LaunchAttributes").sort());
    expect(required).toEqual(["kernel"]);
  });

  test("has a schema for attaching, with VS Code's own attribute for the adapter's port", () => {
    const { properties } = contributedDebugger!.configurationAttributes.attach;
    const own = attributesOf("AttachAttributes");
    const attributes = [...own, ...RECORDING_ATTRIBUTES, "debugServer"];
    expect(Object.keys(properties).sort()).toEqual(attributes.sort());
  });

  test("offers the step policies that the adapter has", () => {
    const { stepPolicy } = contributedDebugger!.configurationAttributes.launch.properties;
    expect(stepPolicy).toMatchObject({ enum: [...STEP_POLICIES] });
  });

  test("offers the policies of invariants that the adapter has", () => {
    for (const { properties } of Object.values(contributedDebugger!.configurationAttributes)) {
      expect(properties.invariantPolicy).toMatchObject({
        additionalProperties: { enum: [...INVARIANT_POLICIES] },
      });
    }
  });

  test("has snippets that use attributes of the schema", () => {
    const { configurationAttributes, configurationSnippets } = contributedDebugger!;
    for (const { body } of configurationSnippets) {
      const { properties } = configurationAttributes[body.request as "launch" | "attach"];
      const known = [...Object.keys(properties), "type", "request", "name"];
      expect(known).toEqual(expect.arrayContaining(Object.keys(body)));
      expect(body.type).toBe(DEBUG_TYPE);
    }
  });
});

test("each language has its grammar, and those that are written a configuration", () => {
  const { languages, grammars } = contributes;
  expect(languages.map(({ id }) => id)).toEqual(
    expect.arrayContaining([ASSEMBLY_LANGUAGE, INVARIANT_LANGUAGE]),
  );
  expect(grammars.map(({ language }) => language)).toEqual(
    expect.arrayContaining(languages.map(({ id }) => id)),
  );
  for (const { path, scopeName } of grammars) {
    expect((read(path) as { readonly scopeName: string }).scopeName).toBe(scopeName);
  }
  const written = languages.filter(
    ({ id }) => id === ASSEMBLY_LANGUAGE || id === INVARIANT_LANGUAGE,
  );
  for (const { configuration } of written)
    expect(read(configuration ?? "")).toHaveProperty("comments");
});

test("the editor's types are those of the oldest editor that we run in", () => {
  expect(`^${manifest.devDependencies["@types/vscode"]}`).toBe(manifest.engines.vscode);
});
