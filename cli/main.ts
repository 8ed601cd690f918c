/** The `minvisor` command: reads the command line and calls the package behind each subcommand. */

import { cac } from "cac";
import { runAdapter } from "../debug-adapter/node/run-adapter.ts";
import { BadInput } from "./bad-input.ts";
import { parsePort, parseRunOptions } from "./options.ts";
import { run, Status } from "./run.ts";

const cli = cac("minvisor");

cli
  .command("run", "Boot an image headless on the machine")
  .option("--kernel <file>", "Multiboot image or Linux bzImage")
  .option("--append <text>", "Command line of the kernel")
  .option("--module <text>", 'Module as "FILE ARGS"; may be repeated')
  .option("--memory <size>", "Size of RAM (default 512M)")
  .option("--serial <target>", "stdio, null or a file; first COM1, then COM2")
  .option("--until <text>", "Stop when a serial port printed this")
  .option("--max-instructions <n>", "Stop after so many instructions")
  .option("--exits <file>", "Write every VM exit to a .json or .csv file")
  .option("--stats", "Print statistics on standard error")
  .option("--state-hash", "Print the hash of the machine's final state")
  .action(async (options: Record<string, unknown>) => run(parseRunOptions(options)));

cli
  .command("dap", "Speak the Debug Adapter Protocol on standard input and output")
  .option("--port <n>", "Listen on this port of the loopback instead")
  .action(async (options: Record<string, unknown>) => {
    const port = parsePort(options.port);
    await runAdapter({
      port,
      onListening: (at) => process.stderr.write(`minvisor: listening on 127.0.0.1:${at}\n`),
    });
    process.exit(Status.done);
  });

cli.help();

async function main(): Promise<number> {
  cli.parse(process.argv, { run: false });
  if (cli.options.help) return Status.done;
  if (cli.matchedCommand === undefined) {
    const given = cli.args[0];
    throw new BadInput(
      given === undefined
        ? "No command given: try `minvisor --help`"
        : `"${given}" is not a command: try \`minvisor --help\``,
    );
  }
  return (await cli.runMatchedCommand()) as number;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: Error) => {
    const usage = error instanceof BadInput || error.name === "CACError";
    process.stderr.write(`minvisor: ${usage ? error.message : (error.stack ?? error.message)}\n`);
    process.exitCode = usage ? Status.badInput : Status.internal;
  },
);
