// Makes a fresh machine ready: Node's version, Debian packages, npm packages, the build.
//
// Only Node's built-ins are imported before `npm ci` has run: a fresh clone has no node_modules.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { inRepository, repository } from "./lib/paths.mjs";
import { mustRun, onPath, Unusable } from "./lib/run.mjs";

/** What each job needs: a Debian package, and a program or file that shows that it is there. */
const BUILD_PACKAGES = [
  { name: "gcc", program: "gcc" },
  { name: "binutils", program: "ld" },
];
const TEST_PACKAGES = [
  { name: "libc6-dev", file: "/usr/include/stdio.h" },
  { name: "qemu-system-x86", program: "qemu-system-x86_64" },
  { name: "qemu-user", program: "qemu-i386" },
  { name: "gdb", program: "gdb" },
  { name: "acl2", program: "acl2" },
  { name: "acpica-tools", program: "iasl" },
  { name: "ripgrep", program: "rg" },
  { name: "chromium", program: "chromium" },
  { name: "fonts-dejavu-core", file: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf" },
];

const isThere = ({ program, file }) => (program ? Boolean(onPath(program)) : existsSync(file));

function checkNode() {
  const wanted = JSON.parse(readFileSync(inRepository("package.json"), "utf8")).engines.node;
  const [, major, minor] = /(\d+)\.(\d+)/.exec(wanted).map(Number);
  const [actualMajor, actualMinor] = process.versions.node.split(".").map(Number);
  if (actualMajor > major || (actualMajor === major && actualMinor >= minor)) return;
  throw new Unusable(`Node ${process.versions.node} is too old: ${wanted} is needed`);
}

const apt = (args) =>
  spawnSync("apt-get", args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  }).status === 0;

const aptListsAreEmpty = () => {
  const lists = "/var/lib/apt/lists";
  return !existsSync(lists) || !readdirSync(lists).some((name) => name.includes("_Packages"));
};

/** Installs the Debian packages that are missing, as root; otherwise says the line to run. */
function installDebianPackages(packages) {
  const missing = packages.filter((one) => !isThere(one)).map(({ name }) => name);
  if (missing.length === 0) return;
  const install = ["install", "-y", "--no-install-recommends", ...missing];
  const line = `apt-get update && apt-get ${install.join(" ")}`;
  if (process.getuid?.() !== 0 || !onPath("apt-get"))
    throw new Unusable(`Some Debian packages are missing. Run as root, then try again:\n  ${line}`);
  console.log(`Installing ${missing.join(", ")} ...`);
  if (aptListsAreEmpty()) apt(["update", "-q"]);
  // Lists that are there may still be too old for their files to exist.
  if (!apt(["-q", ...install]) && !(apt(["update", "-q"]) && apt(["-q", ...install])))
    throw new Unusable(`apt could not install ${missing.join(", ")}: ${line}`);
}

/**
 * Whether node_modules holds what package-lock.json names. npm's own record of what it installed
 * (node_modules/.package-lock.json) leaves out optional packages of other platforms.
 */
function npmPackagesAreUpToDate() {
  const recordPath = inRepository("node_modules", ".package-lock.json");
  if (!existsSync(recordPath)) return false;
  const lock = JSON.parse(readFileSync(inRepository("package-lock.json"), "utf8")).packages;
  const record = JSON.parse(readFileSync(recordPath, "utf8")).packages;
  return Object.entries(lock)
    .filter(([path]) => path !== "")
    .every(([path, entry]) =>
      record[path] ? record[path].version === entry.version : Boolean(entry.optional),
    );
}

async function installNpmPackages() {
  if (npmPackagesAreUpToDate()) return;
  console.log("Installing the npm packages of package-lock.json ...");
  await mustRun("npm", ["ci", "--no-audit", "--no-fund"], { cwd: repository });
}

/** Prepares for `npm start` or, with everything that tests need, for `npm test`. */
export async function bootstrap({ forTests = false } = {}) {
  checkNode();
  installDebianPackages(forTests ? [...BUILD_PACKAGES, ...TEST_PACKAGES] : BUILD_PACKAGES);
  await installNpmPackages();
  const { build } = await import("./build.mjs");
  await build();
}
