/** What travels between interrupt controllers: one message on the APIC bus. */

/** Delivery modes, as redirection entries, LVT and ICR encode them. */
export const DeliveryMode = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  startup: 6,
  external: 7,
} as const;

export interface InterruptMessage {
  readonly vector: number;
  /** A DeliveryMode. */
  readonly mode: number;
  readonly level: boolean;
  readonly destination: number;
  readonly logical: boolean;
}

/** A delivery mode in words. */
export function deliveryModeName(mode: number): string {
  const names: Readonly<Record<number, string>> = {
    [DeliveryMode.fixed]: "fixed",
    [DeliveryMode.lowestPriority]: "lowest priority",
    [DeliveryMode.smi]: "SMI",
    [DeliveryMode.nmi]: "NMI",
    [DeliveryMode.init]: "INIT",
    [DeliveryMode.startup]: "startup",
    [DeliveryMode.external]: "ExtINT",
  };
  return names[mode] ?? `reserved mode ${mode}`;
}
