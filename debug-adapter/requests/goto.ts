/** Requests that let a world go on elsewhere: rip is set, nothing runs. */

import { formatReference } from "../addresses/memory-reference.ts";
import { type Context, checkThread, stoppedIn } from "../context.ts";
import type { Debuggee } from "../debuggee.ts";
import { spaceOf } from "../names.ts";
import { codeBits, type World } from "../register-file.ts";
import { hex, UserError } from "../text.ts";
import type { Handlers } from "./types.ts";

interface GotoPlace {
  readonly world: World;
  readonly address: bigint;
  readonly label: string;
  readonly line: number;
}

/** Targets of the last gotoTargets request, by session: ids count from 1. */
const offered = new WeakMap<Context, readonly GotoPlace[]>();

export const gotoRequests: Handlers<"gotoTargets" | "goto"> = {
  gotoTargets: (context, args) => {
    const { debuggee } = stoppedIn(context);
    const lineBase = context.client.linesStartAt1 ? 0 : 1;
    const { path } = args.source;
    const places = path === undefined ? [] : placesOf(debuggee, path, args.line + lineBase);
    offered.set(context, places);
    return {
      targets: places.map(({ world, address, label, line }, i) => {
        const space = spaceOf(debuggee, world);
        const reference = space && formatReference({ space, address });
        return {
          id: i + 1,
          label,
          line: line - lineBase,
          ...(reference === undefined ? {} : { instructionPointerReference: reference }),
        };
      }),
    };
  },

  goto: (context, args) => {
    const { debuggee } = stoppedIn(context);
    checkThread(args.threadId);
    const place = offered.get(context)?.[args.targetId - 1];
    if (place === undefined) {
      throw new UserError(`There is no target ${args.targetId}: ask for gotoTargets first.`);
    }
    const warning = jump(debuggee, place);
    if (warning !== undefined) {
      context.emit("output", { category: "important", output: `${warning}\n` });
    }
    const description = `Paused after jump to ${place.label}`;
    context.afterResponse(() => context.stopped({ reason: "goto", description }));
    return undefined;
  },
};

/** A place for each function that has code for the line, in the images of both worlds. */
function placesOf(debuggee: Debuggee, path: string, line: number): GotoPlace[] {
  return debuggee.images.withSource(path).flatMap(({ image, file }) => {
    const found = image.symbols.addressesOf(file, line);
    if (found === undefined || debuggee.registers(image.world) === undefined) return [];
    return found.addresses.map((address) => ({
      world: image.world,
      address,
      label: `${image.world} · ${image.symbols.functionAt(address)?.name ?? hex(address)}`,
      line: found.line,
    }));
  });
}

/** Returns what the user should know of where the jump leads. */
function jump(debuggee: Debuggee, { world, address, label }: GotoPlace): string | undefined {
  const registers = debuggee.registers(world);
  if (registers === undefined) throw new UserError(`There is no ${world} to jump in yet.`);
  const base = codeBits(registers) === 64 ? 0n : (registers.segment("cs")?.base ?? 0n);
  const from = registers.get("rip") ?? 0n;
  const [before, after] = [from + base, address].map(
    (at) => debuggee.images.at(world, at)?.symbols.functionAt(at)?.start,
  );
  registers.set("rip", address - base);
  if (before === after && before !== undefined) return undefined;
  return `The jump to ${label} leaves the function: the stack is still that of ${hex(from)}.`;
}
