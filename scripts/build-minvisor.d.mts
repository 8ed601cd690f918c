// Types of build-minvisor.mjs, for the tests.

export const MINVISOR_ELF: string;
export const SAMPLE_GUEST: string;
export const LOOPS_GUEST: string;
export const LOOPS_GUEST_ELF: string;
export const LONG_MODE_GUEST: string;
export const PAE_HYPERVISOR: string;
export const PAE_WARD: string;
export const PAE_WARD_ELF: string;
/** A folder of test/seeded-bugs. */
export type SeededBug = string;
export const HOSTILE_GUEST: string;
export const SEEDED_BUGS: readonly SeededBug[];
export function seededBugElf(bug: SeededBug): string;
export function buildAll(): boolean;
