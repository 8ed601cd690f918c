/** What a call stack is made of: frames of code, and labels that say how one world or ring led to another. */

import type { FrameState, KeptAt } from "../../symbols/location.ts";
import type { SourceLocation } from "../../symbols/source-index.ts";
import type { Variable } from "../../symbols/variable.ts";
import type { Image } from "../images.ts";
import type { FrameCertainty } from "../protocol.ts";
import type { RegisterFile, World } from "../register-file.ts";

export interface CodeFrame {
  readonly kind: "code";
  readonly world: World;
  readonly name: string;
  /** Linear address; of the call's return in frames that made a call. */
  readonly pc: bigint;
  /** Address in the instruction that it executes: of callers in the call, which may be a function's last one. */
  readonly lookup: bigint;
  readonly location: SourceLocation | undefined;
  readonly image: Image | undefined;
  readonly state: FrameState;
  readonly variables: readonly Variable[];
  /** Value of the stack pointer at the call (CFA); identifies the machine frame. */
  readonly base: bigint | undefined;
  /** This frame's registers; of a caller only those that the frames inside of it kept. */
  readonly registers: RegisterFile;
  /** Where the value of a general register is kept; undefined where that is not known. */
  keptAt(register: string): KeptAt | undefined;
  /** 0 is the innermost machine frame of its world; inlined calls share it. */
  readonly depth: number;
  readonly certainty: FrameCertainty;
  /** Privilege level at which it runs; undefined where the frame inside of it does not tell. */
  readonly ring: number | undefined;
}

export interface LabelFrame {
  readonly kind: "label";
  readonly name: string;
}

export type Frame = CodeFrame | LabelFrame;
