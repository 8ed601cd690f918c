/**
 * Entry point of the adapter's own process: speaks the protocol on standard input and output. With
 * `--pipe PATH` it serves sessions on that local socket, says so in a line on standard output, and
 * ends when its standard input does.
 */
import { rmSync } from "node:fs";
import { runAdapter } from "./run-adapter.ts";

const end = (): void => process.exit(0);
const [option, path] = process.argv.slice(2);

if (option === "--pipe" && path !== undefined) {
  process.on("exit", () => rmSync(path, { force: true }));
  process.stdin.on("end", end).on("close", end).resume();
  void runAdapter({ port: path, onListening: () => console.log(`listening on ${path}`) });
} else {
  void runAdapter().then(end);
}
