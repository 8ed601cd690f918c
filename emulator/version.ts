/**
 * The version of what the machine does. A recording is replayed only by the version that made it, so
 * this changes whenever the same images and input could lead to another state hash at some instant:
 * semantics, devices, loaders, what the hash covers.
 */
export const MACHINE_VERSION = "2";
