// Which tests run, and how long one may take.
import { defineConfig } from "vitest/config";

const shared = { testTimeout: 60_000, pool: "forks" } as const;

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: "tests",
          include: ["test/**/*.test.ts"],
          exclude: ["test/workbench/**"],
        },
      },
      { test: { ...shared, name: "workbench", include: ["test/workbench/**/*.test.ts"] } },
    ],
  },
});
