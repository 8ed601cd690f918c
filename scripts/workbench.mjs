// Installs and starts the real VS Code workbench: the server inside npm's code-server package.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { inRepository } from "./lib/paths.mjs";
import { mustRunQuietly, onPath, runMain, Unusable } from "./lib/run.mjs";

/** VS Code 1.100.3, the newest that this was seen to work with on Node 20. */
const VERSION = "4.100.3";
const folder = inRepository("cache", "workbench", VERSION);
const packageFolder = join(folder, "code-server");
const serverFolder = join(packageFolder, "lib", "vscode");
const installedStamp = join(folder, "installed");

// Without these the server runs; with them it has output channels, shell terminals and a watchdog.
const NATIVE_MODULES = ["@vscode/spdlog", "node-pty", "native-watchdog"];

const npmEnvironment = { ...process.env, npm_config_loglevel: "error" };

const npm = (args, cwd) => mustRunQuietly("npm", args, { cwd, env: npmEnvironment });

function unpackServer() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(packageFolder, { recursive: true });
  npm(["pack", "--silent", `code-server@${VERSION}`, "--pack-destination", folder], folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  if (!tarball) throw new Unusable("npm pack left no file for code-server");
  mustRunQuietly("tar", [
    "xzf",
    join(folder, tarball),
    "-C",
    packageFolder,
    "--strip-components=1",
  ]);
  rmSync(join(folder, tarball));
}

/** The server's own packages; their install scripts would download, so none of them is run. */
function installServerPackages() {
  const flags = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"];
  npm(["install", ...flags], serverFolder);
  symlinkSync("node_modules", join(serverFolder, "node_modules.asar"));
}

/** Only the search for files and text needs it; the package of that name would download it. */
function linkRipgrep() {
  const ripgrep = onPath("rg");
  const bin = join(serverFolder, "node_modules", "@vscode", "ripgrep", "bin");
  if (!ripgrep || existsSync(join(bin, "rg"))) return;
  mkdirSync(bin, { recursive: true });
  symlinkSync(ripgrep, join(bin, "rg"));
}

/** Where this Node's headers are, so that building against them downloads nothing. */
function nodeHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, "include", "node", "node.h")) ? prefix : undefined;
}

/** Builds the optional native modules where compiler and headers are there; says so where not. */
export function buildNativeModules() {
  const stamp = join(folder, "native-modules");
  if (existsSync(stamp)) return;
  const headers = nodeHeaders();
  const missing = ["make", "g++", "python3"].filter((program) => !onPath(program));
  if (headers === undefined || missing.length > 0) {
    const what = missing.length > 0 ? missing.join(", ") : "Node's headers";
    console.log(`The editor will have no shell terminal and no output channels: no ${what} here.`);
    return;
  }
  console.log("Building the editor's native modules ...");
  const global = npm(["root", "-g"]).trim();
  const gyp = join(global, "npm", "node_modules", "node-gyp", "bin", "node-gyp.js");
  for (const module of NATIVE_MODULES) {
    const cwd = join(serverFolder, "node_modules", module);
    mustRunQuietly(process.execPath, [gyp, "rebuild", `--nodedir=${headers}`, "-j", "2"], { cwd });
  }
  writeFileSync(stamp, "");
}

/** Installs the server under cache/ unless it is there. */
export function installWorkbench() {
  if (!existsSync(installedStamp)) {
    console.log(`Installing the VS Code server (code-server ${VERSION} from npm) ...`);
    unpackServer();
    installServerPackages();
    writeFileSync(installedStamp, "");
  }
  linkRipgrep();
}

const SETTINGS = {
  "debug.onTaskErrors": "abort",
  "files.hotExit": "off",
  "git.openRepositoryInParentFolders": "never",
  "security.workspace.trust.enabled": false,
  "telemetry.telemetryLevel": "off",
  "terminal.integrated.gpuAcceleration": "off", // terminal text as DOM nodes
  "update.mode": "none",
  "workbench.startupEditor": "none",
  "workbench.tips.enabled": false,
};

/** A port of the loopback interface that is free now. */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function waitUntilReady(url, server, seconds = 60) {
  for (let attempt = 0; attempt < seconds * 5; attempt++) {
    if (server.exitCode !== null) throw new Unusable("The VS Code server ended at its start");
    try {
      if ((await fetch(`${url}/version`)).ok) return;
    } catch {
      // not listening yet
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Unusable("The VS Code server did not answer");
}

/**
 * Starts the server with a user folder of its own under `dataFolder`. The page at `url(workspace)`
 * is the editor with our extension loaded from the repository.
 */
export async function startWorkbench(dataFolder, { port } = {}) {
  const user = join(dataFolder, "User");
  mkdirSync(user, { recursive: true });
  if (!existsSync(join(user, "settings.json")))
    writeFileSync(join(user, "settings.json"), JSON.stringify(SETTINGS, null, 2));
  const chosen = port ?? (await freePort());
  const args = [
    ...["--host", "127.0.0.1", "--port", String(chosen), "--without-connection-token"],
    ...["--accept-server-license-terms", "--telemetry-level", "off", "--disable-workspace-trust"],
    ...["--user-data-dir", dataFolder, "--server-data-dir", dataFolder],
    ...["--extensions-dir", join(dataFolder, "extensions")],
  ];
  const main = join(serverFolder, "out", "server-main.js");
  // Its own process group, so that the extension host and the adapter end with it.
  const server = spawn(process.execPath, [main, ...args], { detached: true, stdio: "ignore" });
  const base = `http://127.0.0.1:${chosen}`;
  const stop = () => {
    try {
      process.kill(-server.pid);
    } catch {
      // already gone
    }
  };
  try {
    await waitUntilReady(base, server);
  } catch (error) {
    stop();
    throw error;
  }
  return { server, stop, url: (workspace) => `${base}/?${pageQuery(chosen, workspace)}` };
}

function pageQuery(port, workspace) {
  const extension = `vscode-remote://127.0.0.1:${port}${inRepository()}`;
  const payload = JSON.stringify([["extensionDevelopmentPath", extension]]);
  const kind = workspace.endsWith(".code-workspace") ? "workspace" : "folder";
  return `${kind}=${encodeURI(workspace)}&payload=${encodeURIComponent(payload)}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  await runMain(async () => installWorkbench());
