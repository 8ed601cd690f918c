/** Launch configurations of the sample guest: for F5 where there is no launch.json. */
import type { LaunchAttributes } from "../debug-adapter/protocol.ts";
import { DEBUG_TYPE } from "./contributions.ts";

/** A launch configuration as VS Code wants it, with our attributes. */
export interface SampleConfiguration extends LaunchAttributes {
  readonly [other: string]: unknown;
  readonly type: typeof DEBUG_TYPE;
  readonly request: "launch";
  readonly name: string;
}

/**
 * MinVisor and the sample guest, from the folder that holds them: the extension's, the repository,
 * or a copy made by "Open Sample Workspace"; the three are laid out alike.
 */
export function sampleConfiguration(root: string): SampleConfiguration {
  return {
    type: DEBUG_TYPE,
    request: "launch",
    name: "Sample guest under MinVisor",
    kernel: `${root}/minvisor/build/minvisor.elf`,
    modules: [{ path: `${root}/test/guests/build/sample.bin` }],
    symbols: [{ path: `${root}/test/guests/build/sample.elf`, world: "guest" }],
    invariantFiles: [`${root}/minvisor/minvisor.inv`],
    sourceMap: { ".": root },
    cwd: root,
  };
}

/** What a new launch.json starts with: paths that the developer replaces. */
export function templateConfiguration(): SampleConfiguration {
  return {
    type: DEBUG_TYPE,
    request: "launch",
    name: "Debug a hypervisor",
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: VS Code's own variables
    kernel: "${workspaceFolder}/build/hypervisor.elf",
    modules: ["${workspaceFolder}/vmlinuz console=ttyS0", "${workspaceFolder}/initrd"],
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above
    memory: "512M",
  };
}
