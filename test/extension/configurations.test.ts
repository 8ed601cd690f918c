// Launch configurations: the sample's files are there, an empty one becomes the sample.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { completeConfiguration } from "../../extension/complete-configuration.ts";
import { sampleConfiguration } from "../../extension/sample-configurations.ts";
import { terminalText } from "../../extension/terminal-text.ts";
import { readSource, repository } from "../tidy/sources.ts";

interface Configuration {
  readonly request: "launch" | "attach";
  readonly name: string;
  readonly kernel: string;
  readonly modules: readonly (string | { readonly path: string })[];
  readonly symbols?: readonly { readonly path: string }[];
  readonly invariantFiles?: readonly string[];
}

const filesOf = ({
  kernel,
  modules,
  symbols = [],
  invariantFiles = [],
}: Configuration): string[] => [
  kernel,
  ...invariantFiles,
  ...modules.map((module) => (typeof module === "string" ? module.split(" ")[0]! : module.path)),
  ...symbols.map(({ path }) => path),
];

describe("the sample configuration", () => {
  test("names files that the build makes", () => {
    const files = filesOf(sampleConfiguration(repository) as unknown as Configuration);
    expect(files).toHaveLength(4);
    expect(files.filter((path) => !existsSync(path))).toEqual([]);
  });

  test("is what F5 without a launch.json starts", () => {
    const started = completeConfiguration({} as never, "/extension", undefined);
    expect(started).toMatchObject({ kernel: "/extension/minvisor/build/minvisor.elf" });
  });
});

describe("a configuration of launch.json", () => {
  const given = { type: "minvisor", request: "launch", name: "a", kernel: "k.elf" };

  test("takes relative paths from the workspace folder", () => {
    expect(completeConfiguration(given, "/extension", "/work")).toEqual({ ...given, cwd: "/work" });
    const own = { ...given, cwd: "/own" };
    expect(completeConfiguration(own, "/extension", "/work")).toEqual(own);
  });

  test("that attaches is taken as it is", () => {
    const attach = { type: "minvisor", request: "attach", name: "a", debugServer: 4711 };
    expect(completeConfiguration(attach, "/extension", "/work")).toEqual(attach);
  });

  test("that opens a recording takes relative paths from the workspace folder", () => {
    const attach = { type: "minvisor", request: "attach", name: "a", recording: "run.mvrec" };
    const completed = { ...attach, cwd: "/work" };
    expect(completeConfiguration(attach, "/extension", "/work")).toEqual(completed);
  });

  test("must launch or attach, and a launch must name a kernel", () => {
    const wrong = [
      { ...given, kernel: undefined },
      { ...given, request: "attaches" },
    ];
    for (const one of wrong) expect(completeConfiguration(one, "/extension", "/w")).toBeUndefined();
  });
});

test("the sample workspace's configurations name files that are built, or Linux's", () => {
  const text = readSource("samples/minvisor.code-workspace");
  const { launch } = JSON.parse(text) as {
    readonly launch: { readonly configurations: readonly Configuration[] };
  };
  const files = launch.configurations
    .filter(({ request }) => request === "launch")
    .flatMap(filesOf)
    .filter((path) => !path.startsWith("cache/linux/"));
  expect(files.filter((path) => !existsSync(join(repository, path)))).toEqual([]);
});

test("a bare line feed begins a new line in a terminal", () => {
  expect(terminalText("a\nb\r\nc\n")).toBe("a\r\nb\r\nc\r\n");
});
