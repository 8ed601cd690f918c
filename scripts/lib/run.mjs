// Runs commands for the scripts: output passed through, failures as one sentence.

import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { repository } from "./paths.mjs";

/** What a script cannot go on without; printed as one sentence, exit status 2. */
export class Unusable extends Error {}

/**
 * Runs a command to its end with its output on ours; resolves to its exit status. After
 * `limitMinutes` it is ended with all that it started, and has failed.
 */
export function run(command, args, { cwd = repository, env = process.env, limitMinutes } = {}) {
  return new Promise((resolve, reject) => {
    const limited = limitMinutes !== undefined; // then in a process group of its own
    const stdio = ["ignore", "inherit", "inherit"];
    const child = spawn(command, args, { cwd, env, stdio, detached: limited });
    const end = (reason) => {
      console.error(`${command} is stopped: ${reason}.`);
      process.kill(-child.pid, "SIGKILL");
    };
    const interrupt = () => end("interrupted");
    if (limited) process.once("SIGINT", interrupt);
    const tooLong = () => end(`it has not ended after ${limitMinutes} minutes`);
    const timer = limited ? setTimeout(tooLong, limitMinutes * 60_000) : undefined;
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      process.removeListener("SIGINT", interrupt);
      resolve(signal ? 128 : (status ?? 1));
    });
  });
}

/** As run(), but a failure is an exception. */
export async function mustRun(command, args, options) {
  const status = await run(command, args, options);
  if (status !== 0) throw new Unusable(`${command} ${args.join(" ")} failed (status ${status})`);
}

/** Runs a command silently; a failure is an exception with what it wrote. */
export function mustRunQuietly(command, args, { cwd = repository, env = process.env } = {}) {
  const result = spawnSync(command, args, { cwd, env, encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.error) throw new Unusable(`${command} cannot be run: ${result.error.message}`);
  if (result.status === 0) return result.stdout;
  const said = `${result.stdout}${result.stderr}`.trim().split("\n").slice(-15).join("\n");
  throw new Unusable(`${command} ${args.join(" ")} failed (status ${result.status}):\n${said}`);
}

/** The full path of a program on PATH, or undefined. */
export function onPath(program) {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** Runs a script's main function: its number is the exit status, Unusable is one sentence and 2. */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
