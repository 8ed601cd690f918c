// Where things lie in the repository, as absolute paths.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const inRepository = (...parts) => join(repository, ...parts);

/** The workspace that `npm start` and the workbench test open. */
export const sampleWorkspace = inRepository("samples", "minvisor.code-workspace");
