/** Chooses the loader for a kernel file: multiboot 1 or Linux bzImage. */

import type { BootImage, LoadOptions } from "./boot-image.ts";
import { isLinux, loadLinux } from "./linux-boot.ts";
import { LoadError } from "./load-error.ts";
import { findMultibootHeader, loadMultiboot } from "./multiboot.ts";

export function loadKernel(options: LoadOptions): BootImage {
  const { kernel } = options;
  if (kernel.bytes.length === 0) throw new LoadError(`${kernel.name} is empty`);
  if (findMultibootHeader(kernel)) return loadMultiboot(options);
  if (isLinux(kernel)) return loadLinux(options);
  throw new LoadError(
    `${kernel.name} is neither a multiboot kernel (no header in its first 8 KiB) nor a Linux bzImage`,
  );
}
