/** Requests for source files and the programs that they belong to. */
import { loadedIn } from "../context.ts";
import { UserError } from "../text.ts";
import { sourceOf } from "./stack.ts";
import type { Handlers } from "./types.ts";

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
    const all = debuggee.images.all.map(({ name, path, world, symbols, ranges }) => ({
      id: path,
      name,
      path,
      version: world,
      symbolStatus: symbols.hasDebugInfo ? "Debug information" : "Symbols only",
      addressRange: ranges
        .map(({ start, end }) => `0x${start.toString(16)}-0x${end.toString(16)}`)
        .join(", "),
    }));
    const start = args.startModule ?? 0;
    const end = args.moduleCount ? start + args.moduleCount : all.length;
    return { modules: all.slice(start, end), totalModules: all.length };
  },
};
