// Makes the Linux guest: Debian's cloud kernel and an initramfs on busybox, both under cache/linux/.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const repository = join(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(repository, "cache", "linux");
const packagesFolder = join(folder, "packages");
const stampPath = join(folder, "guest.json");

/** The two files that boot: a bzImage and an initramfs. A user without apt may put their own here. */
export const KERNEL_PATH = join(folder, "vmlinuz");
export const INITRD_PATH = join(folder, "initrd.cpio");

/** What /init prints first, and last before it powers the machine off. */
export const READY_LINE = "GUEST-READY";
export const DONE_LINE = "GUEST-DONE";
/** All that /init prints, unless it was given more work. */
export const RESULTS = [
  READY_LINE,
  "sha256 30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58  -",
  "gzip round-trip ok",
  DONE_LINE,
].join("\n");

/** Arguments under which a boot is short and repeatable: no self-tests, no random kernel address. */
export const KERNEL_ARGUMENTS = "console=ttyS0,115200 cryptomgr.notests=1 nokaslr panic=-1";

/** More for the kernel, which hands them on to /init: half of all instructions are then its work. */
export const LONG_WORK = "WORK_MIB=8 WORK_LINES=20000";

const APPLETS = ["sh", "mount", "dd", "seq", "sha256sum", "gzip", "poweroff"];

// The kernel's own messages are turned off first: they would land in the middle of these lines.
const INIT = `#!/bin/sh
mount -t proc proc /proc
echo 1 > /proc/sys/kernel/printk
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo ${READY_LINE}
echo "sha256 $(dd if=/dev/zero bs=1M count=\${WORK_MIB:-1} 2>/dev/null | sha256sum)"
before=$(seq 1 \${WORK_LINES:-2000} | sha256sum)
after=$(seq 1 \${WORK_LINES:-2000} | gzip -c | gzip -dc | sha256sum)
if [ "$before" = "$after" ]; then echo "gzip round-trip ok"; else echo "gzip round-trip WRONG"; fi
echo ${DONE_LINE}
poweroff -f
`;

/** One record of the "newc" cpio format (see the kernel's early-userspace/buffer-format). */
function cpioRecord(inode, { name, mode, data = Buffer.alloc(0), device = [0, 0] }) {
  const hex = (value) => value.toString(16).toUpperCase().padStart(8, "0");
  const nameBytes = Buffer.from(`${name}\0`);
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, nameBytes.length, 0];
  const pad = (length) => Buffer.alloc((4 - (length % 4)) % 4);
  const header = Buffer.from(`070701${fields.map(hex).join("")}`);
  return Buffer.concat([
    header,
    nameBytes,
    pad(header.length + nameBytes.length),
    data,
    pad(data.length),
  ]);
}

/** A cpio archive of the entries in their order; times and owners are zero, so bytes repeat. */
export function cpioArchive(entries) {
  const records = [...entries, { name: "TRAILER!!!", mode: 0 }];
  return Buffer.concat(records.map((entry, index) => cpioRecord(index + 1, entry)));
}

function initramfs(busybox) {
  const directory = (name) => ({ name, mode: 0o040755 });
  return cpioArchive([
    ...["bin", "dev", "proc", "sys"].map(directory),
    { name: "dev/console", mode: 0o020600, device: [5, 1] },
    { name: "bin/busybox", mode: 0o100755, data: busybox },
    ...APPLETS.map((name) => ({
      name: `bin/${name}`,
      mode: 0o120777,
      data: Buffer.from("busybox"),
    })),
    { name: "init", mode: 0o100755, data: Buffer.from(INIT) },
  ]);
}

function run(command, args) {
  return execFileSync(command, args, {
    cwd: packagesFolder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1 << 28,
  });
}

/** The kernel package that the meta package depends on at present. */
function kernelPackage() {
  const depends = run("apt-cache", ["depends", "linux-image-cloud-amd64"]);
  const found = /Depends: (linux-image-[\w.+-]+-cloud-amd64)/.exec(depends);
  if (!found) throw new Error("apt knows no package that linux-image-cloud-amd64 depends on");
  return found[1];
}

function download(packageName) {
  run("apt-get", ["-o", "APT::Sandbox::User=root", "download", packageName]);
  const file = readdirSync(packagesFolder).find((name) => name.startsWith(`${packageName}_`));
  if (!file) throw new Error(`apt-get download left no file for ${packageName}`);
  return join(packagesFolder, file);
}

const downloadBoth = () => [download(kernelPackage()), download("busybox-static")];

/** The bytes of one file inside a .deb, without unpacking the rest. */
function fileInside(packageFile, pathPattern) {
  const listing = run("dpkg-deb", ["-c", packageFile]).split("\n");
  const path = listing.map((line) => line.split(" ").at(-1)).find((name) => pathPattern.test(name));
  if (!path) throw new Error(`${packageFile} holds no file like ${pathPattern}`);
  const tar = execFileSync("dpkg-deb", ["--fsys-tarfile", packageFile], { maxBuffer: 1 << 30 });
  return execFileSync("tar", ["-xO", path], { input: tar, maxBuffer: 1 << 30 });
}

const initHash = () => createHash("sha256").update(INIT).update(APPLETS.join()).digest("hex");

function readStamp() {
  return existsSync(stampPath) ? JSON.parse(readFileSync(stampPath, "utf8")) : undefined;
}

/**
 * Whether the two files are there and are ours of today's /init, or a user's own (no stamp beside
 * them: never overwritten).
 */
function isUpToDate() {
  if (!existsSync(KERNEL_PATH) || !existsSync(INITRD_PATH)) return false;
  const stamp = readStamp();
  return stamp === undefined || stamp.init === initHash();
}

/** Makes both files unless they are there. Throws with the reason where it cannot. */
export function makeLinuxGuest() {
  if (isUpToDate()) return false;
  mkdirSync(packagesFolder, { recursive: true });
  let files;
  try {
    files = downloadBoth();
  } catch {
    run("apt-get", ["update"]); // empty or stale package lists
    files = downloadBoth();
  }
  const [kernelFile, busyboxFile] = files;
  writeFileSync(KERNEL_PATH, fileInside(kernelFile, /^\.\/boot\/vmlinuz-/));
  writeFileSync(INITRD_PATH, initramfs(fileInside(busyboxFile, /\/bin\/busybox$/)));
  const packages = readdirSync(packagesFolder).sort();
  rmSync(packagesFolder, { recursive: true });
  writeFileSync(stampPath, `${JSON.stringify({ packages, init: initHash() }, null, 2)}\n`);
  return true;
}

function main() {
  try {
    const made = makeLinuxGuest();
    console.log(`${made ? "made" : "already there:"} ${KERNEL_PATH} and ${INITRD_PATH}`);
  } catch (error) {
    const reason = String(error.stderr || error.message || error)
      .trim()
      .split("\n")
      .at(-1);
    console.error(
      `guest:linux cannot get Debian's kernel and busybox: ${reason}. ` +
        `Give a bzImage as ${KERNEL_PATH} and an initramfs as ${INITRD_PATH} instead.`,
    );
    process.exit(2);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main();
