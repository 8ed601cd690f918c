/** One breakpoint of any kind: where it stops, and what it says of itself. */
import type { BreakpointOptions } from "./breakpoint-options.ts";
import type { World } from "./register-file.ts";
import { messageOf } from "./text.ts";

/** A linear address in one world. */
export interface Place {
  readonly linear: bigint;
  readonly world: World;
}

/** Where a breakpoint stops, and how the client is to show it. */
export interface Found {
  readonly places: readonly Place[];
  /** Exits that it stops at, by name. */
  readonly exits?: ((reason: string) => boolean) | undefined;
  readonly path?: string | undefined;
  readonly line?: number | undefined;
  readonly instructionReference?: string | undefined;
  /** The exception filter that it stands for. */
  readonly filter?: string | undefined;
}

export interface Breakpoint extends Found {
  readonly id: number;
  /** Missing where a condition does not parse: it then never stops. */
  readonly options: BreakpointOptions | undefined;
  readonly title: string;
  readonly isVerified: boolean;
  /** Why it is not verified. */
  readonly message?: string | undefined;
  /** Looks for its places in the images that are loaded now; throws where there are none. */
  readonly find: () => Found;
}

export type Request = Pick<Breakpoint, "id" | "title" | "options" | "find">;

/** The breakpoint where it can be now; without places and with the reason where it cannot. */
export function bind(request: Request): Breakpoint {
  const { id, title, options, find } = request;
  const common = { id, title, options, find };
  try {
    return { ...common, ...find(), isVerified: options !== undefined };
  } catch (caught) {
    return { ...common, places: [], isVerified: false, message: messageOf(caught) };
  }
}
