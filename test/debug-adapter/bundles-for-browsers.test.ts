// The core of the adapter is free of Node: it bundles for the browser.
import { build } from "esbuild";
import { expect, test } from "vitest";
import { LOADER } from "../../scripts/lib/loader.mjs";
import { repository } from "../harness/dap-adapter.ts";

const bundle = (contents: string) =>
  build({
    loader: LOADER,
    absWorkingDir: repository,
    stdin: { contents, resolveDir: repository, loader: "ts" },
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    logLevel: "silent",
  });

test("the session bundles for the browser", async () => {
  const { outputFiles } = await bundle(
    'export { DebugSession } from "./debug-adapter/session.ts";',
  );
  expect(outputFiles[0]?.text).toContain("DebugSession");
});

test("and that can fail: what is in node/ does not", async () => {
  await expect(bundle('export * from "./debug-adapter/node/run-adapter.ts";')).rejects.toThrow(
    /node:|iced/,
  );
});
