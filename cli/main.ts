/** The `minvisor` command: reads the command line and calls the package behind each subcommand. */

import { parseArgs } from "node:util";
import { BadInput } from "./bad-input.ts";
import { check } from "./check.ts";
import { exits } from "./exits.ts";
import {
  parseCheckOptions,
  parseExitsOptions,
  parsePort,
  parseRecordOptions,
  parseReplayOptions,
  parseRunOptions,
} from "./options.ts";
import { replay } from "./replay.ts";
import { run } from "./run.ts";
import { Status } from "./status.ts";

const HELP = `minvisor: a machine for hypervisors, and their debugger

minvisor run --kernel FILE [options]   Boot an image headless
  --kernel FILE             multiboot image or Linux bzImage
  --append TEXT             command line of the kernel
  --module "FILE ARGS"      a module with its string; may be repeated
  --memory SIZE             size of RAM (default 512M)
  --serial stdio|FILE|null  first COM1, then COM2 (default stdio, null)
  --until TEXT              stop when a serial port has printed this
  --max-instructions N      stop after so many instructions
  --exits FILE              write every VM exit, as .json, .csv or .parquet
  --stats                   print statistics on standard error
  --state-hash              print the hash of the machine's final state

minvisor record --kernel FILE -o FILE.mvrec [options of run]
                                       Run and write a recording of the run as it goes
  --ledger                  with every VM exit in it
  --snapshots               with them and snapshots, from which a debugger is at any instant soon: at most
                            1.2 times the images' size and 50 MB for each 10^9 instructions
  --check-interval N        instructions between two state hashes (default 100M)

minvisor replay FILE.mvrec             Run a recording again; status 1 if it is another run
  --until-icount N          stop when so many instructions have retired
  --check                   say how many state hashes held, instead of the console
  --state-hash              print the hash of the state at the end

minvisor exits FILE.mvrec              The VM exits of a recording
  --where CONDITION         as reason=NPF,CPUID guest=1 cost>=1000 rip<0x1000 changed=RIP
                            port=0x3f8..0x3ff reason!=IOIO; all that are given must hold
  --group-by KEY            count and sum up by reason, guest, rip, cr3, port or msr
  --json FILE, --csv FILE, --parquet FILE
                            write them instead of printing

minvisor check --kernel FILE | --recording FILE.mvrec [options of run]
                                       Which invariants hold on this run; status 1 if one does not
  --invariants FILE.inv     beside those that are shipped; may be repeated
  --sarif FILE, --junit FILE
                            write the result as SARIF 2.1.0 or JUnit XML
  --no-vacuous              an invariant that was never checked is an error

minvisor dap [--port N]                Speak the Debug Adapter Protocol on standard
                                       input and output, or on a port of the loopback
`;

const text = { type: "string" } as const;
const texts = { type: "string", multiple: true } as const;
const flag = { type: "boolean" } as const;

/** Values are strings as given; an option that is given twice where one is meant is refused later. */
const RUN = {
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
} as const;

const OPTIONS = {
  run: RUN,
  record: {
    ...RUN,
    output: { type: "string", multiple: true, short: "o" },
    ledger: flag,
    snapshots: flag,
    "check-interval": texts,
  },
  replay: { "until-icount": texts, check: flag, "state-hash": flag },
  exits: { where: texts, "group-by": texts, json: texts, csv: texts, parquet: texts },
  check: {
    ...RUN,
    recording: texts,
    invariants: texts,
    sarif: texts,
    junit: texts,
    "no-vacuous": flag,
  },
  dap: { port: text },
} as const;

/** Commands that take files beside their options. */
const WITH_FILES: readonly CommandName[] = ["replay", "exits"];

type CommandName = keyof typeof OPTIONS;

function parse<N extends CommandName>(name: N, args: string[]) {
  try {
    const allowPositionals = WITH_FILES.includes(name);
    return parseArgs({ args, options: OPTIONS[name], strict: true, allowPositionals });
  } catch (error) {
    const [sentence = ""] = (error as Error).message.split("\n");
    throw new BadInput(`${sentence.replace(/\. To specify.*$/, "").replace(/\.$/, "")}`);
  }
}

async function dap(args: string[]): Promise<number> {
  const port = parsePort(parse("dap", args).values.port);
  // Only here: the disassembler's WebAssembly is not to be loaded for other commands.
  const { runAdapter } = await import("../debug-adapter/node/run-adapter.ts");
  await runAdapter({
    port,
    onListening: (at) => process.stderr.write(`minvisor: listening on 127.0.0.1:${at}\n`),
  });
  process.exit(Status.done);
}

const COMMANDS: Record<CommandName, (args: string[]) => Promise<number>> = {
  run: async (args) => run(parseRunOptions(parse("run", args).values)),
  record: async (args) => {
    const { values } = parse("record", args);
    return run(parseRunOptions(values), parseRecordOptions(values));
  },
  replay: async (args) => {
    const { values, positionals } = parse("replay", args);
    return replay(parseReplayOptions(values, positionals));
  },
  exits: async (args) => {
    const { values, positionals } = parse("exits", args);
    return exits(parseExitsOptions(values, positionals));
  },
  check: async (args) => check(parseCheckOptions(parse("check", args).values)),
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

// "| head" has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(Status.brokenPipe);
});

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
