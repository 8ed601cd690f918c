// Types of qemu-boot.mjs, for the tests.

export const QEMU: string;
export const QEMU_CPU_FLAGS: string;

export interface Counts {
  end: string | undefined;
  exits: Record<string, number>;
  cpuid: Record<string, number>;
  msrs: Record<string, number>;
  ports: Record<string, number>;
}

export interface Boot {
  elf?: string;
  modules?: readonly string[];
  append?: string;
  memory?: number;
  cpu?: string;
  cpus?: number;
  timeoutSeconds?: number;
  onCom1?: (text: string) => void;
}

export interface BootResult {
  status: number | null;
  com1: string;
  com2: string;
  counts: Counts;
  timedOut: boolean;
}

export function linuxModules(moreArguments?: string): string[];
export function sampleModules(): string[];
export function parseCounts(com2: string): Counts;
export function bootOnQemu(boot: Boot): Promise<BootResult>;
