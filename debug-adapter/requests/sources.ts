/** Requests for source files and the programs that they belong to. */
import { type Context, loadedIn } from "../context.ts";
import type { Image, ImageChange } from "../images.ts";
import type { DebugProtocol as DP } from "../protocol.ts";
import { hex, UserError } from "../text.ts";
import { sourceOf } from "./stack.ts";
import type { Handlers } from "./types.ts";

function moduleOf({ name, path, world, symbols, ranges }: Image): DP.Module {
  return {
    id: path,
    name,
    path,
    version: world,
    symbolStatus: symbols.hasDebugInfo ? "Debug information" : "Symbols only",
    addressRange: ranges.map(({ start, end }) => `${hex(start)}-${hex(end)}`).join(", "),
  };
}

/** Tells the client of a program that came, went or is known to run elsewhere. */
export function tellImageChange(context: Context, { kind, image }: ImageChange): void {
  const reason = ({ added: "new", removed: "removed", moved: "changed" } as const)[kind];
  context.emit("module", { reason, module: moduleOf(image) });
  if (kind === "moved") return;
  for (const path of new Set(image.clientPaths.values())) {
    context.emit("loadedSource", {
      reason: kind === "added" ? "new" : "removed",
      source: sourceOf(path),
    });
  }
}

export const sourceRequests: Handlers<"source" | "loadedSources" | "modules"> = {
  source: async (context, args) => {
    const path = args.source?.path;
    if (path === undefined) {
      throw new UserError("No source has this reference: sources are files with a path.");
    }
    const { images } = loadedIn(context).debuggee;
    if (!images.all.some((image) => [...image.clientPaths.values()].includes(path))) {
      throw new UserError(`${path} is not a source of any loaded image.`);
    }
    const bytes = await context.services.files.read(path);
    return { content: new TextDecoder().decode(bytes) };
  },

  loadedSources: (context) => {
    const { debuggee } = loadedIn(context);
    const paths = new Set(debuggee.images.all.flatMap((image) => [...image.clientPaths.values()]));
    return { sources: [...paths].sort().map(sourceOf) };
  },

  modules: (context, args) => {
    const { debuggee } = loadedIn(context);
    const all = debuggee.images.all.map(moduleOf);
    const start = args.startModule ?? 0;
    const end = args.moduleCount ? start + args.moduleCount : all.length;
    return { modules: all.slice(start, end), totalModules: all.length };
  },
};
