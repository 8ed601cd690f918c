/** The task that a guest's kernel runs: what names a thread besides world and ring. */

import type { Type } from "../../symbols/types.ts";
import type { World } from "../register-file.ts";

export interface Task {
  readonly pid: number;
  readonly name: string;
}

/** Knows the running task of a kernel in the machine. Reads without side effects. */
export interface TaskSource {
  /** Undefined while it is not known: before the kernel is up, in the host. */
  task(): Task | undefined;
}

/** The running task as the kernel describes it. */
export interface CurrentTask {
  readonly world: World;
  /** Of its task_struct, in virtual addresses of that world. */
  readonly address: bigint;
  readonly type: Type;
}

/** Finds the kernel of a guest, or of a machine without hypervisor, when it comes up. */
export interface KernelSource extends TaskSource {
  /** Given one sentence for the user each time that a kernel comes up. */
  tell: (text: string) => void;
  /** Whether somebody waits for a kernel's names while the machine runs; else stops are soon enough. */
  isAwaited: () => boolean;
  /** The machine stands: a kernel that came up unnoticed may be there. */
  look(): void;
  /** Undefined while it is not known. */
  current(): CurrentTask | undefined;
}
