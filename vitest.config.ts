// Which tests run, and how long one may take.
import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/harness/longest-first.ts";

const shared = { testTimeout: 120_000, hookTimeout: 120_000, pool: "forks" } as const;

/** An .inv file is its text, as in the bundles. */
const invariantTexts = {
  name: "inv-text",
  transform: (text: string, id: string) =>
    id.endsWith(".inv") ? `export default ${JSON.stringify(text)};` : undefined,
};

export default defineConfig({
  plugins: [invariantTexts],
  test: {
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          ...shared,
          name: "tests",
          globalSetup: ["test/harness/build.ts"],
          include: ["test/**/*.test.ts"],
          exclude: ["test/workbench/**"],
        },
      },
      {
        extends: true,
        test: { ...shared, name: "workbench", include: ["test/workbench/**/*.test.ts"] },
      },
    ],
  },
});
