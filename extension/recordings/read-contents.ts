/** Asks a process of the adapter's what is in a recording: a large one takes the editor no time. */
import { execFile } from "node:child_process";
import type { DescribedRecording } from "../../debug-adapter/protocol.ts";

const MOST_OUTPUT = 16 * 2 ** 20;

/** `program` is the adapter's. Resolves with a refusal where the process fails. */
export function readContents(program: string, path: string): Promise<DescribedRecording> {
  // On the desktop the extension host's own executable is Electron, which this turns into Node.
  const env = { ...process.env, ELECTRON_RUN_AS_NODE: "1" };
  const options = { env, maxBuffer: MOST_OUTPUT };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, "--describe", path], options, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as DescribedRecording);
      else resolve({ refused: `${path} cannot be read: ${error.message}.` });
    });
  });
}
