/** Exit statuses of the command. */
export const Status = {
  done: 0,
  /** A replay is not the recorded run. */
  diverged: 1,
  /** `check`: an invariant was violated. */
  violated: 1,
  badInput: 2,
  shutdown: 4,
  budget: 6,
  internal: 70,
  /** As a shell tells of a command that Ctrl+C ended. */
  interrupted: 130,
  /** As a shell tells of a command whose reader has gone. */
  brokenPipe: 141,
} as const;
