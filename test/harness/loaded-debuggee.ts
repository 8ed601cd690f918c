/** MinVisor with the sample guest as the debugger has them, without a session around it. */
import { boot, planBoot } from "../../debug-adapter/boot.ts";
import type { Debuggee } from "../../debug-adapter/debuggee.ts";
import { readLaunchArguments } from "../../debug-adapter/launch-arguments.ts";
import { deflate } from "../../debug-adapter/node/deflate.ts";
import { IcedDisassembler } from "../../debug-adapter/node/iced-disassembler.ts";
import { nodeFiles } from "../../debug-adapter/node/node-files.ts";
import { type Goal, Runner, type Stop } from "../../debug-adapter/runner.ts";
import type { Services } from "../../debug-adapter/services.ts";
import { SAMPLE } from "./dap-adapter.ts";

export const disassembler = new IcedDisassembler();

export async function loadSample(attributes: object = SAMPLE): Promise<Debuggee> {
  const task = { report: () => Promise.resolve() };
  return boot(await planBoot(readLaunchArguments(attributes), nodeFiles, task));
}

/** Runs goals to their stops at once: what a session does between messages. */
export class LoneRunner {
  readonly debuggee: Debuggee;
  private readonly runner: Runner;
  private due: (() => void) | undefined;
  private stop: Stop | undefined;

  constructor(debuggee: Debuggee) {
    this.debuggee = debuggee;
    const services: Services = {
      files: nodeFiles,
      disassembler,
      now: () => performance.now(),
      codec: deflate,
      sha256: () => Promise.resolve(""),
      schedule: (callback) => {
        this.due = callback;
        return () => {
          this.due = undefined;
        };
      },
    };
    const nothing = () => undefined;
    this.runner = new Runner(
      services,
      debuggee,
      {
        isSearching: false,
        onExecute: nothing,
        onExit: nothing,
        onShutdown: nothing,
        take: nothing,
        beforeStop: nothing,
      },
      {
        runs: nothing,
        travels: () => ({ report: nothing, end: nothing }),
        stopped: (stop) => {
          this.stop = stop;
        },
        ended: nothing,
        failed: (caught) => {
          throw caught;
        },
      },
    );
  }

  /** Undefined where the machine ended. */
  run(goal: Goal): Stop | undefined {
    this.stop = undefined;
    this.runner.resume(goal);
    while (this.stop === undefined && this.due !== undefined) {
      const { due } = this;
      this.due = undefined;
      due();
    }
    return this.stop;
  }
}
