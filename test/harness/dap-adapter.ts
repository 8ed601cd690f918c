/** The debug adapter as a process of its own, bundled once a test file, behind a foreign DAP client. */

import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { DebugProtocol } from "@vscode/debugprotocol";
import { build } from "esbuild";
import type { LaunchAttributes, MachineStatus } from "../../debug-adapter/protocol.ts";
import {
  LOOPS_GUEST,
  LOOPS_GUEST_ELF,
  PAE_HYPERVISOR,
  PAE_WARD,
  PAE_WARD_ELF,
} from "../../scripts/build-minvisor.mjs";
import { atEnd } from "../../scripts/lib/at-end.mjs";
import { LOADER } from "../../scripts/lib/loader.mjs";

const { DebugClient } = createRequire(import.meta.url)("@vscode/debugadapter-testsupport") as {
  DebugClient: typeof import("@vscode/debugadapter-testsupport").DebugClient;
};

export const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const inRepository = (path: string): string => join(repository, path);

let bundle: Promise<string> | undefined;

/** Path of the bundled adapter. */
export function adapterPath(): Promise<string> {
  bundle ??= bundleAdapter();
  return bundle;
}

async function bundleAdapter(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "minvisor-adapter-"));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, "adapter.cjs");
  await build({
    loader: LOADER,
    absWorkingDir: repository,
    entryPoints: ["debug-adapter/node/main.ts"],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    logLevel: "warning",
  });
  const wasm = "iced_x86_bg.wasm";
  copyFileSync(inRepository(`node_modules/iced-x86/${wasm}`), join(folder, wasm));
  return outfile;
}

/** MinVisor with the sample guest, as F5 boots it. */
export const SAMPLE: LaunchAttributes = {
  kernel: "minvisor/build/minvisor.elf",
  modules: ["test/guests/build/sample.bin"],
  symbols: ["test/guests/build/sample.elf"],
  memory: "512M",
  serial: ["stdio"],
  invariants: false,
  cwd: repository,
};

/** MinVisor with the guest of endless and long loops. */
export const LOOPS: LaunchAttributes = {
  ...SAMPLE,
  modules: [LOOPS_GUEST],
  symbols: [LOOPS_GUEST_ELF],
};

/** A hypervisor unlike MinVisor: a 32-bit PAE host in its upper half, with a guest of its own. */
export const WARDEN: LaunchAttributes = {
  ...SAMPLE,
  kernel: PAE_HYPERVISOR,
  modules: [PAE_WARD],
  symbols: [PAE_WARD_ELF],
  memory: "64M",
};

/** MinVisor with Debian's kernel: what makeGuests() of linux-guest.ts provides. */
export const LINUX: LaunchAttributes = {
  ...SAMPLE,
  modules: [
    `${inRepository("cache/linux/vmlinuz")} console=ttyS0 cryptomgr.notests=1`,
    inRepository("cache/linux/initrd.cpio"),
  ],
  symbols: [],
};

export type Stopped = DebugProtocol.StoppedEvent["body"];

/** A client with what tests ask for often. */
export class AdapterClient extends DebugClient {
  private readonly stops: Stopped[] = [];
  private readonly waiting: ((stop: Stopped) => void)[] = [];
  /** Text of all output events of category stdout. */
  console = "";

  constructor(adapter: string) {
    super(process.execPath, adapter, "minvisor", undefined, true);
    this.defaultTimeout = 30_000;
    this.on("stopped", ({ body }: DebugProtocol.StoppedEvent) => {
      const next = this.waiting.shift();
      if (next) next(body);
      else this.stops.push(body);
    });
    this.on("output", ({ body }: DebugProtocol.OutputEvent) => {
      if (body.category === "stdout") this.console += body.output;
    });
  }

  /** The next stopped event that was not asked for yet. */
  nextStop(): Promise<Stopped> {
    const stop = this.stops.shift();
    if (stop) return Promise.resolve(stop);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no stopped event came")), 120_000);
      this.waiting.push((body) => {
        clearTimeout(timer);
        resolve(body);
      });
    });
  }

  /** initialize and launch, up to the initialized event. */
  async begin(attributes: object = SAMPLE): Promise<void> {
    await this.initializeRequest();
    const initialized = this.waitForEvent("initialized");
    await this.launchRequest(attributes as DebugProtocol.LaunchRequestArguments);
    await initialized;
  }

  /** Launches with exception filters set, and runs to the first stop. */
  async runTo(
    filters: DebugProtocol.SetExceptionBreakpointsArguments,
    attributes: object = SAMPLE,
  ): Promise<Stopped> {
    await this.begin(attributes);
    await this.setExceptionBreakpointsRequest(filters);
    await this.configurationDoneRequest();
    return this.nextStop();
  }

  async frames(): Promise<DebugProtocol.StackFrame[]> {
    return (await this.stackTraceRequest({ threadId: 1 })).body.stackFrames;
  }

  /** The variables of a scope of a frame, by name. */
  async scope(frameId: number, name: string): Promise<Map<string, DebugProtocol.Variable>> {
    const { scopes } = (await this.scopesRequest({ frameId })).body;
    const scope = scopes.find((each) => each.name === name);
    if (scope === undefined) throw new Error(`no scope ${name}`);
    return this.children(scope.variablesReference);
  }

  async children(variablesReference: number): Promise<Map<string, DebugProtocol.Variable>> {
    const { variables } = (await this.variablesRequest({ variablesReference })).body;
    return new Map(variables.map((each) => [each.name, each]));
  }

  /** Runs on, and gives the next stop. */
  async go(request: "continue" | "next" | "stepIn" | "stepOut", instruction = false) {
    const args = { threadId: 1, ...(instruction ? { granularity: "instruction" } : {}) };
    await this.send(request, args);
    return this.nextStop();
  }

  async value(expression: string, frameId?: number): Promise<string> {
    const args = frameId === undefined ? { expression } : { expression, frameId };
    return (await this.evaluateRequest(args)).body.result;
  }

  async status(): Promise<MachineStatus> {
    return (await this.send("minvisor/status", {})).body;
  }

  /** The message of the request's failure. */
  async failure(command: string, args: object): Promise<string> {
    try {
      await this.send(command, args);
    } catch (caught) {
      return (caught as Error).message;
    }
    throw new Error(`${command} did not fail`);
  }
}

/** A client of a fresh adapter; stop() ends it. */
export async function startClient(): Promise<AdapterClient> {
  const client = new AdapterClient(await adapterPath());
  await client.start();
  return client;
}
