/** The machine's address spaces: which guest is which, and memory read and written in any of them. */
import {
  type AddressSpace,
  type Changes,
  currentNested,
  currentPaging,
  DebugMemory,
  Guests,
  type Machine,
  type NestedContext,
  type PagingContext,
  type Translation,
  type TranslationAccess,
  VmcbView,
  type Worlds,
} from "../../emulator/index.ts";
import { NotYetError, UserError } from "../text.ts";
import type { MemoryReference, SpaceName } from "./memory-reference.ts";

export class AddressSpaces {
  private readonly machine: Machine;
  private readonly memory: DebugMemory;
  /** Which guest is which. */
  readonly guests: Guests;

  constructor(machine: Machine, changes: Changes = machine) {
    this.machine = machine;
    this.memory = new DebugMemory(machine.memory, (address, bytes) => {
      const writable = machine.memory.peek(address, bytes.length).length;
      if (writable > 0) {
        changes.enter({ kind: "memory", address, bytes: bytes.slice(0, writable) });
      }
      return writable;
    });
    this.guests = new Guests(machine);
  }

  get inGuest(): boolean {
    return this.machine.state.guestMode !== 0;
  }

  /** The guest that runs or ran last, from 1; undefined before the first VMRUN. */
  get guest(): number | undefined {
    return this.guests.current;
  }

  /** The VMCB that was run last; undefined before the first VMRUN. */
  get vmcb(): VmcbView | undefined {
    const { state, memory } = this.machine;
    if (state.guestMode === 0 && state.exitCount === 0) return undefined;
    return new VmcbView(memory, Number(state.vmcbAddress));
  }

  /** Registers of the host's address space, from the host save area while a guest runs. */
  private hostPaging(): PagingContext {
    const { state, memory } = this.machine;
    if (state.guestMode === 0) return currentPaging(state);
    const saved = new VmcbView(memory, Number(state.vmHsavePa));
    const [cr0, cr3, cr4] = [saved.read("CR0"), saved.read("CR3"), saved.read("CR4")];
    return { cr0, cr3, cr4, efer: saved.read("EFER") };
  }

  private guestContext(
    number: number,
  ): { paging: PagingContext; nested?: NestedContext } | undefined {
    const address = this.guests.vmcbOf(number);
    if (address === undefined) return undefined;
    const { state, memory } = this.machine;
    if (state.guestMode !== 0 && number === this.guest) {
      const nested = currentNested(state);
      return { paging: currentPaging(state), ...(nested === undefined ? {} : { nested }) };
    }
    const vmcb = new VmcbView(memory, address);
    const [cr0, cr3, cr4] = [vmcb.read("CR0"), vmcb.read("CR3"), vmcb.read("CR4")];
    const paging = { cr0, cr3, cr4, efer: vmcb.read("EFER") };
    if ((vmcb.read("NP_ENABLE") & 1n) === 0n) return { paging };
    const { hostCr0, hostCr4, hostEfer } = state;
    const nestedCr3 = vmcb.read("nCR3");
    return { paging, nested: { cr0: hostCr0, cr4: hostCr4, efer: hostEfer, nestedCr3 } };
  }

  /** Fills in the parts that were left out: the current guest, its CR3, the host's CR3. */
  resolve(space: SpaceName): SpaceName {
    const { kind } = space;
    if (kind === "hpa") return { kind };
    if (kind === "hva") return { kind, root: space.root ?? this.hostPaging().cr3 };
    const guest = space.guest ?? this.guest;
    if (guest === undefined) throw new NotYetError("There is no guest yet: no VMRUN has happened.");
    const context = this.guestContext(guest);
    if (context === undefined) throw new UserError(`There is no guest ${guest}.`);
    return kind === "gpa"
      ? { kind, guest }
      : { kind, guest, root: space.root ?? context.paging.cr3 };
  }

  resolved(reference: MemoryReference): MemoryReference {
    return { space: this.resolve(reference.space), address: reference.address };
  }

  /** Virtual addresses of the world in which the CPU is. */
  here(): SpaceName {
    return this.resolve({ kind: this.inGuest ? "gva" : "hva" });
  }

  /** Bytes from the reference up to the first that cannot be read. */
  read({ space, address }: MemoryReference, length: number): Uint8Array {
    return this.memory.peek(emulatorSpace(space), address, length, this.worlds(space));
  }

  /** How many bytes from the start could be written. */
  write({ space, address }: MemoryReference, bytes: Uint8Array): number {
    return this.memory.poke(emulatorSpace(space), address, bytes, this.worlds(space));
  }

  /** Without an access only presence and reserved bits can fail. */
  translate({ space, address }: MemoryReference, access?: TranslationAccess): Translation {
    return this.memory.translate(emulatorSpace(space), address, this.worlds(space), access);
  }

  /** How many bytes from the reference on cannot be read, up to `length`. */
  unreadable({ space, address }: MemoryReference, length: number): number {
    return this.memory.unreadable(emulatorSpace(space), address, length, this.worlds(space));
  }

  /** How many bytes from the reference on can be written, up to `length`. */
  writable({ space, address }: MemoryReference, length: number): number {
    return this.memory.writable(emulatorSpace(space), address, length, this.worlds(space));
  }

  /** How many guests have run. */
  get guestCount(): number {
    return this.guests.count;
  }

  /** The privilege level of a world's code; VMRUN leaves the host at 0. */
  cpl(world: "host" | "guest"): number {
    if ((world === "guest") === this.inGuest) return this.machine.state.cpl;
    return world === "host" ? 0 : (this.vmcb?.read("CPL") ?? 0);
  }

  /** The PAT register of a world. */
  pat(world: "host" | "guest"): bigint {
    const { state, memory } = this.machine;
    if ((world === "guest") === this.inGuest) return state.pat;
    if (world === "host") return new VmcbView(memory, Number(state.vmHsavePa)).read("G_PAT");
    const { vmcb } = this;
    // Without nested paging host and guest have one PAT (APM volume 2, section 15.25.8).
    const own = vmcb !== undefined && (vmcb.read("NP_ENABLE") & 1n) !== 0n;
    return own ? vmcb.read("G_PAT") : state.pat;
  }

  /**
   * The ASID under which the TLB holds translations of a virtual space; undefined where it holds
   * none of it: a physical space, or tables that are not the world's present ones.
   */
  asid(space: SpaceName): number | undefined {
    const { kind, guest, root } = space;
    if (kind === "hva") return root === this.hostPaging().cr3 ? 0 : undefined;
    if (kind !== "gva" || guest === undefined) return undefined;
    if (root !== this.guestContext(guest)?.paging.cr3) return undefined;
    if (this.inGuest && guest === this.guest) return this.machine.state.asid;
    const vmcb = this.guests.vmcbOf(guest);
    if (vmcb === undefined) return undefined;
    return Number(new VmcbView(this.machine.memory, vmcb).read("GUEST_ASID"));
  }

  /** The tables of the host and of the guest that a space means. */
  worlds(space: SpaceName): Worlds {
    const number = space.guest ?? this.guest;
    const guest = number === undefined ? undefined : this.guestContext(number);
    const host = this.hostPaging();
    return guest === undefined ? { host } : { host, guest };
  }
}

/** For gpa and gva the guest's tables come with the worlds; only a CR3 may be replaced. */
function emulatorSpace({ kind, root }: SpaceName): AddressSpace {
  return root === undefined || kind === "gpa" || kind === "hpa" ? { kind } : { kind, root };
}
