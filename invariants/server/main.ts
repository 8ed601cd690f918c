/** The language server's process: started by the editor, speaks on the channel that the editor chose. */
import { createConnection, ProposedFeatures } from "vscode-languageserver/node";
import { FILES } from "./files.ts";
import { serve } from "./server.ts";

serve(createConnection(ProposedFeatures.all), FILES);
