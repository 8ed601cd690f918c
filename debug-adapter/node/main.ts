/**
 * Entry point of the adapter's own process: speaks the protocol on standard input and output. With
 * `--port` it serves sessions on a free port of the loopback, whose number is the first line that it
 * prints, until its standard input ends.
 */
import { runAdapter } from "./run-adapter.ts";

const end = (): void => process.exit(0);

if (process.argv.includes("--port")) {
  process.stdin.on("end", end).on("close", end).resume();
  void runAdapter({ port: 0, onListening: (port) => console.log(port) });
} else {
  void runAdapter().then(end);
}
