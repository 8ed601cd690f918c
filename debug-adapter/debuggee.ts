/** A loaded machine with all that the debugger knows about it. */
import {
  type Changes,
  ExitLedger,
  type Follower,
  type Machine,
  type Recording,
  Timeline,
  timelineOf,
} from "../emulator/index.ts";
import { AddressSpaces } from "./addresses/address-spaces.ts";
import type { ConsoleTail } from "./console/console-tail.ts";
import type { DeliveryLog } from "./delivery-log.ts";
import type { ExitLog } from "./exits/exit-log.ts";
import type { KernelSource } from "./images/guest-task.ts";
import type { Images } from "./images.ts";
import type { LaunchConfiguration } from "./launch-arguments.ts";
import type { SessionRecording } from "./recordings/session-recording.ts";
import {
  codeBits,
  exitedGuestRegisters,
  linearOf,
  liveRegisters,
  type RegisterFile,
  suspendedHostRegisters,
  type World,
} from "./register-file.ts";
import { RunMemory } from "./run-memory.ts";
import type { CodeBits } from "./services.ts";

export class Debuggee {
  readonly machine: Machine;
  readonly images: Images;
  readonly configuration: LaunchConfiguration;
  readonly spaces: AddressSpaces;
  private readonly memory: RunMemory;
  readonly exits: ExitLog;
  readonly deliveries: DeliveryLog;
  readonly consoleTail: ConsoleTail;
  /** The machine's past; undefined where it is not recorded. */
  readonly timeline: Timeline | undefined;
  /** Every exit of the recording. */
  readonly ledger: ExitLedger | undefined;
  /** What is known of the kernel that runs in the guest, or instead of a hypervisor. */
  kernel: KernelSource | undefined;
  /** Where the run is recorded as it goes on; undefined where it is in memory alone. */
  recordingFile: SessionRecording | undefined;

  /** The machine stands at its reset; with a recording, at that of the recorded run. */
  constructor(
    machine: Machine,
    images: Images,
    configuration: LaunchConfiguration,
    recording?: Recording,
  ) {
    this.machine = machine;
    this.images = images;
    this.configuration = configuration;
    this.spaces = new AddressSpaces(machine, {
      enter: (i) => this.changes.enter(i),
      edit: (c) => this.changes.edit(c),
    });
    this.memory = new RunMemory(machine);
    this.exits = this.memory.exits;
    this.deliveries = this.memory.deliveries;
    this.consoleTail = this.memory.consoleTail;
    if (!configuration.recording) return;
    this.ledger = new ExitLedger(machine, this.spaces.guests, recording);
    const options = {
      budgetBytes: configuration.recordingBytes,
      followers: [this.spaces.guests, this.ledger, ...this.memory.followers],
    };
    this.timeline =
      recording === undefined
        ? new Timeline(machine, options)
        : timelineOf(machine, recording, options);
  }

  /** What every debuggee remembers of its machine. */
  get followers(): readonly Follower[] {
    return [this.spaces.guests, ...this.memory.followers];
  }

  /** The way in for everything that the debugger changes. */
  get changes(): Changes {
    return this.timeline ?? this.machine;
  }

  /** The world in which the CPU is. */
  get world(): World {
    return this.machine.state.guestMode !== 0 ? "guest" : "host";
  }

  /** Registers of a world; undefined for the guest before the first VMRUN. */
  registers(world: World): RegisterFile | undefined {
    const { changes } = this;
    if (world === this.world) return liveRegisters(this.machine, changes);
    if (world === "host") return suspendedHostRegisters(this.machine, changes);
    const { vmcb } = this.spaces;
    const { exits, machine } = this;
    const live = exits.isAtExit ? liveRegisters(machine, changes) : undefined;
    return vmcb && exitedGuestRegisters(vmcb, exits.last, live, changes);
  }

  /** Linear address of the next instruction. */
  get linearRip(): bigint {
    return linearOf(liveRegisters(this.machine), this.machine.state.rip);
  }

  /** Where the next instruction is, in linear and in host-physical memory. */
  executePlace(): { linear: bigint; physical: number | undefined; guest: boolean } {
    const { spaces, linearRip: linear } = this;
    const found = spaces.translate({ space: spaces.here(), address: linear });
    const physical = found.kind === "page" ? found.physical : undefined;
    return { linear, physical, guest: spaces.inGuest };
  }

  get codeBits(): CodeBits {
    return codeBits(liveRegisters(this.machine));
  }

  /** Bytes at a linear address of a world; shorter at the first that cannot be read. */
  readLinear(world: World, address: bigint, length: number): Uint8Array {
    const kind = world === "host" ? "hva" : "gva";
    const { spaces } = this;
    return spaces.read({ space: spaces.resolve({ kind }), address }, length);
  }
}
