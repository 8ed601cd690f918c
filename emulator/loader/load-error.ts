/** The error of every loader: one clear sentence that names the image and the reason. */

export class LoadError extends Error {
  override readonly name = "LoadError";
}

/** "512 MiB", or KiB where it is not a whole number of MiB. */
export function sizeText(bytes: number): string {
  const mib = 1024 * 1024;
  return bytes % mib === 0 ? `${bytes / mib} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}

export const hex = (value: number | bigint) => `0x${value.toString(16)}`;
