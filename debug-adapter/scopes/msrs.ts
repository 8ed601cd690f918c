/** The MSRs scope: every MSR of the CPU as it is now, whichever world set it. */
import { type BitFields, MSRS, VMCB_FIELDS, type VmcbField } from "../../emulator/index.ts";
import { fromBytes } from "../../symbols/location.ts";
import { formatReference } from "../addresses/memory-reference.ts";
import type { Debuggee } from "../debuggee.ts";
import { readPlace, writePlace } from "../place-access.ts";
import { hex } from "../text.ts";
import type { ValuePlace } from "../value-place.ts";
import { branch, type VariableNode } from "../variables.ts";
import { codeSource } from "./code-source.ts";
import type { Scope } from "./view.ts";
import { wordNode } from "./words.ts";

const bitsOf = (field: VmcbField): BitFields | undefined => field.bits;

/** Parts of MSRs by name (APM volume 2, appendix A). */
const BITS: Readonly<Record<string, BitFields | undefined>> = {
  APIC_BASE: { BSC: 8, EXTD: 10, AE: 11, ABA: [51, 12] },
  EFER: bitsOf(VMCB_FIELDS.EFER),
  STAR: bitsOf(VMCB_FIELDS.STAR),
  PAT: bitsOf(VMCB_FIELDS.G_PAT),
  DEBUGCTL: bitsOf(VMCB_FIELDS.DBGCTL),
  SFMASK: bitsOf(VMCB_FIELDS.RFLAGS),
  SYSCFG: {
    ...{ MtrrFixDramEn: 18, MtrrFixDramModEn: 19, MtrrVarDramEn: 20, MtrrTom2En: 21 },
    ...{ Tom2ForceMemTypeWB: 22 },
  },
  HWCR: { SMMLOCK: 0, TlbCacheDis: 3, INVD_WBINVD: 4, MonMwaitDis: 9, MonMwaitUserEn: 10 },
  VM_CR: { DPD: 0, R_INIT: 1, DIS_A20M: 2, LOCK: 3, SVMDIS: 4 },
};
/** MSRs that hold a virtual address, and those with the physical address of a page. */
const POINTERS: ReadonlySet<string> = new Set([
  ...["LSTAR", "CSTAR", "SYSENTER_ESP", "SYSENTER_EIP", "FS_BASE", "GS_BASE", "KERNEL_GS_BASE"],
]);
const PAGES: ReadonlySet<string> = new Set(["APIC_BASE", "VM_HSAVE_PA"]);
const CODE: ReadonlySet<string> = new Set(["LSTAR", "CSTAR", "SYSENTER_EIP"]);

export const msrScope: Scope = {
  name: "MSRs",
  expensive: true,
  children: ({ debuggee }) =>
    branch((show) =>
      MSRS.map((msr): VariableNode => {
        const { name, number } = msr;
        const place: ValuePlace = { kind: "msr", index: number };
        const value = msr.read(debuggee.machine.cpu);
        const reference = referenceOf(debuggee, name, value);
        const target = CODE.has(name) ? codeSource(debuggee, debuggee.world, value) : undefined;
        return wordNode(
          {
            name,
            value,
            bits: BITS[name],
            ...(msr.write === undefined
              ? {}
              : { place, write: (typed) => writePlace(debuggee, place, typed) }),
            read: () => fromBytes(readPlace(debuggee, place)),
          },
          show,
          {
            type: `MSR ${hex(number)}`,
            evaluateName: `$msr.${name}`,
            ...(reference === undefined ? {} : { memoryReference: reference }),
            ...(target === undefined ? {} : { target }),
          },
        );
      }),
    ),
};

function referenceOf({ spaces }: Debuggee, name: string, value: bigint): string | undefined {
  if (PAGES.has(name)) return `hpa:${hex(value & ~0xfffn)}`;
  return POINTERS.has(name) ? formatReference({ space: spaces.here(), address: value }) : undefined;
}
