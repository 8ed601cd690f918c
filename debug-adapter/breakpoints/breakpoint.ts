/** One breakpoint of any kind: where or when it stops, and what it says of itself. */
import type { Debuggee } from "../debuggee.ts";
import type { Image } from "../images.ts";
import type { World } from "../register-file.ts";
import type { Stop } from "../runner.ts";
import { messageOf } from "../text.ts";
import type { Fields } from "./event-names.ts";
import type { BreakpointOptions } from "./options.ts";

/** The instruction at which a breakpoint stops. */
export type Place =
  /** Its first byte in host-physical memory: it stops through whatever mapping it is fetched. */
  | {
      readonly kind: "physical";
      readonly address: number;
      /** Whose code it is, where that is known. */
      readonly world?: World;
    }
  /** In the linear addresses of one world; with an image only while that image's code is there. */
  | {
      readonly kind: "linear";
      readonly address: bigint;
      readonly world: World;
      readonly image?: Image | undefined;
    };

/** In which world a breakpoint stops: DAP's mode. */
export type Mode = "any" | World;

/** `own` is the world of the image whose code it is: what a client gets that asks for no mode. */
export type OwnMode = Mode | "own";

/** An event at which a breakpoint was reached. */
export interface Hit {
  readonly reason: Stop["reason"];
  readonly description: string;
  /** What conditions and log messages can name. */
  readonly fields: Fields;
  /** More for the user; `writer` is the instruction or event that did it. */
  readonly text?: (writer: string) => string;
  /** Linear address of the instruction that did it, where that is not the present one. */
  readonly rip?: bigint;
  /** Bytes of a VMCB were written: a #VMEXIT at the same instant did it. */
  readonly inVmcb?: boolean;
  /** Set where no instruction of the world that now runs did it, but the way into it. */
  readonly by?: "vmrun" | "exit";
}

/** What tells of a breakpoint's events; nothing else happens to the machine. */
export interface Trigger {
  /**
   * Listens until the returned function is called; `reach` says whether the machine is to stop.
   * `hits` is how many of its hits have counted: those whose condition held.
   */
  arm(debuggee: Debuggee, reach: (hit: Hit) => "stop" | undefined, hits?: () => number): () => void;
}

/** Where or when a breakpoint stops, and how the client is to show it. */
export interface Found {
  readonly places?: readonly Place[] | undefined;
  /** Names of exits that it stops at; "*" for all. */
  readonly exits?: readonly string[] | undefined;
  /** The same object each time it is found: what is armed stays so. */
  readonly trigger?: Trigger | undefined;
  readonly path?: string | undefined;
  readonly line?: number | undefined;
  readonly instructionReference?: string | undefined;
  /** The exception filter that it stands for. */
  readonly filter?: string | undefined;
  /** What it waits for before it can stop. */
  readonly pending?: string | undefined;
  /** What the user should know of it. */
  readonly note?: string | undefined;
}

export interface Breakpoint extends Found {
  readonly id: number;
  /** Missing where a condition does not parse: it then never stops. */
  readonly options: BreakpointOptions | undefined;
  readonly title: string;
  readonly mode: OwnMode;
  readonly state: "verified" | "pending" | "failed";
  readonly message?: string | undefined;
  /** Looks for its places in the images that are loaded now; throws where there are none. */
  readonly find: () => Found;
}

export type Request = Pick<Breakpoint, "id" | "title" | "options" | "mode" | "find">;

/** The breakpoint where it can be now; without places and with the reason where it cannot. */
export function bind(request: Request): Breakpoint {
  const { id, title, options, mode, find } = request;
  const common = { id, title, options, mode, find };
  try {
    const found = find();
    const state = options === undefined ? "failed" : found.pending ? "pending" : "verified";
    return { ...common, ...found, state, message: found.pending ?? found.note };
  } catch (caught) {
    return { ...common, state: "failed", message: messageOf(caught) };
  }
}
