// Types of workbench.mjs, for the tests.

import type { ChildProcess } from "node:child_process";

export interface Workbench {
  readonly server: ChildProcess;
  stop(): void;
  /** The page of the editor on a folder or a .code-workspace file, by its absolute path. */
  url(workspace: string): string;
}

export function installWorkbench(): void;
export function buildNativeModules(): void;
export function startWorkbench(
  dataFolder: string,
  options?: { readonly port?: number },
): Promise<Workbench>;
