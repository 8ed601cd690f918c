/** The `minvisor` command: reads the command line and calls the package behind each subcommand. */

import { parseArgs } from "node:util";
import { BadInput } from "./bad-input.ts";
import { parsePort, parseRunOptions } from "./options.ts";
import { run, Status } from "./run.ts";

const HELP = `minvisor: a machine for hypervisors, and their debugger

minvisor run --kernel FILE [options]   Boot an image headless
  --kernel FILE             multiboot image or Linux bzImage
  --append TEXT             command line of the kernel
  --module "FILE ARGS"      a module with its string; may be repeated
  --memory SIZE             size of RAM (default 512M)
  --serial stdio|FILE|null  first COM1, then COM2 (default stdio, null)
  --until TEXT              stop when a serial port has printed this
  --max-instructions N      stop after so many instructions
  --exits FILE.json|.csv    write every VM exit
  --stats                   print statistics on standard error
  --state-hash              print the hash of the machine's final state

minvisor dap [--port N]                Speak the Debug Adapter Protocol on standard
                                       input and output, or on a port of the loopback
`;

const text = { type: "string" } as const;
const texts = { type: "string", multiple: true } as const;
const flag = { type: "boolean" } as const;

/** Values are strings as given; an option that is given twice where one is meant is refused later. */
const OPTIONS = {
  run: {
    kernel: texts,
    append: texts,
    module: texts,
    memory: texts,
    serial: texts,
    until: texts,
    "max-instructions": texts,
    exits: texts,
    stats: flag,
    "state-hash": flag,
  },
  dap: { port: text },
} as const;

type CommandName = keyof typeof OPTIONS;

function parse<N extends CommandName>(name: N, args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS[name], strict: true }).values;
  } catch (error) {
    const [sentence = ""] = (error as Error).message.split("\n");
    throw new BadInput(`${sentence.replace(/\. To specify.*$/, "").replace(/\.$/, "")}`);
  }
}

async function dap(args: string[]): Promise<number> {
  const port = parsePort(parse("dap", args).port);
  // Only here: the disassembler's WebAssembly is not to be loaded for other commands.
  const { runAdapter } = await import("../debug-adapter/node/run-adapter.ts");
  await runAdapter({
    port,
    onListening: (at) => process.stderr.write(`minvisor: listening on 127.0.0.1:${at}\n`),
  });
  process.exit(Status.done);
}

const COMMANDS: Record<CommandName, (args: string[]) => Promise<number>> = {
  run: async (args) => run(parseRunOptions(parse("run", args))),
  dap,
};

async function main([name, ...args]: string[]): Promise<number> {
  if (name === undefined) throw new BadInput("No command given: try `minvisor --help`");
  if (name === "--help" || name === "-h" || args.includes("--help")) {
    process.stdout.write(HELP);
    return Status.done;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name as CommandName] : undefined;
  if (command === undefined) {
    throw new BadInput(`"${name}" is not a command: try \`minvisor --help\``);
  }
  return command(args);
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: Error) => {
    const usage = error instanceof BadInput;
    process.stderr.write(`minvisor: ${usage ? error.message : (error.stack ?? error.message)}\n`);
    process.exitCode = usage ? Status.badInput : Status.internal;
  },
);
