/** The task that a guest's kernel runs: what names a thread besides world and ring. */

export interface Task {
  readonly pid: number;
  readonly name: string;
}

/** Knows the running task of a kernel in the machine. Reads without side effects. */
export interface TaskSource {
  /** Undefined while it is not known: before the kernel is up, in the host. */
  task(): Task | undefined;
}
