/** What a recording's file has in it, for a client to show without a session (part of protocol.ts). */

export interface RecordedImage {
  readonly name: string;
  readonly bytes: number;
  /** Of a module: its command line. */
  readonly args?: string;
}

export interface RecordingContents {
  readonly fileBytes: number;
  readonly kernel: RecordedImage;
  readonly modules: readonly RecordedImage[];
  /** The kernel's command line. */
  readonly append?: string;
  readonly memoryBytes: number;
  readonly instructions: number;
  /** Nanoseconds of the machine's time, idle ones among them. */
  readonly ticks: number;
  /** By reason, the commonest first; undefined where they are not in the file: a replay gives them. */
  readonly exits: readonly { readonly reason: string; readonly count: number }[] | undefined;
  /** What was typed and changed, in its order. */
  readonly inputs: readonly { readonly icount: number; readonly what: string }[];
  /** Instants that are had without a replay, and instants whose state a replay is checked by. */
  readonly snapshots: number;
  readonly checks: number;
  /** What is missing of a damaged one, in a sentence. */
  readonly problem?: string;
}

/** What `adapter.cjs --describe FILE` prints: one line of JSON. */
export type DescribedRecording =
  | { readonly contents: RecordingContents }
  /** Why it cannot be opened, in a sentence. */
  | { readonly refused: string };
