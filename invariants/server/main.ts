/** The language server's process: started by the editor, speaks on the channel that the editor chose. */
import { readFileSync } from "node:fs";
import { createConnection, ProposedFeatures } from "vscode-languageserver/node";
import { ProgramSymbols } from "../../symbols/program.ts";
import { Program } from "../program.ts";
import { serve } from "./server.ts";

serve(createConnection(ProposedFeatures.all), {
  readProgram: (path) => {
    try {
      const bytes = new Uint8Array(readFileSync(path));
      return Program.of(new ProgramSymbols(bytes, path), path, bytes);
    } catch {
      return undefined;
    }
  },
});
