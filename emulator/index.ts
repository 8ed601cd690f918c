/**
 * The machine's public interface: the only file of emulator/ that other folders import.
 *
 * Addresses: host-physical and guest-physical addresses are numbers (below 2^52), linear addresses
 * bigints. Registers are bigints, segments views (state/cpu-state.ts). Loading errors are LoadError
 * with one clear sentence; reading never throws and never changes the machine.
 */
export { LONGEST_INSTRUCTION } from "./decode/decoder.ts";
export type { DeviceRegisters } from "./devices/device.ts";
export { type Changes, type Input, inputInWords } from "./inputs.ts";
export type { BootImage, ImageFile, LoadOptions, ModuleFile } from "./loader/boot-image.ts";
export { LoadError } from "./loader/load-error.ts";
export { loadKernel } from "./loader/load-kernel.ts";
export {
  Machine,
  type MachineOptions,
  type RunLimits,
  type RunResult,
  type Snapshot,
} from "./machine.ts";
export {
  type AddressSpace,
  DebugMemory,
  type Worlds,
} from "./memory/address-space.ts";
export { hasReservedBits, isLeaf } from "./memory/page-walk.ts";
export { PagingMode, pagingMode, Rights } from "./memory/paging-bits.ts";
export { MachineMemory } from "./memory/physical-memory.ts";
export {
  type ReverseLimits,
  ReverseMap,
  type ReverseMapping,
  type ReverseMappings,
} from "./memory/reverse-map.ts";
export type { TlbEntry } from "./memory/tlb.ts";
export {
  currentNested,
  currentPaging,
  type NestedContext,
  type PagingContext,
  type Translation,
  type TranslationAccess,
  type TranslationLevel,
  type TranslationRights,
  Translator,
} from "./memory/translate.ts";
export type {
  EventName,
  Handler,
  Observer,
  ObserverEvents,
} from "./observers.ts";
export {
  CPU_FIELDS,
  type DescriptorRegister,
  type FieldName,
  GENERAL_REGISTERS,
  type GeneralRegister,
  SEGMENT_REGISTERS,
  type SegmentRegister,
} from "./state/cpu-fields.ts";
export type { CpuState, ExtendedRegister, Segment } from "./state/cpu-state.ts";
export { getFlag, getRflags, setRflags } from "./state/flags.ts";
export { PAGE_SIZE, PageReason } from "./state/memory-map.ts";
export { describeEvent, isValidEvent } from "./svm/event-format.ts";
export { type ExitFields, exitFields } from "./svm/exit-fields.ts";
export { describeExit, describeExitInfo, type ExitWords } from "./svm/exit-info.ts";
export {
  EXCEPTION_EXIT,
  EXITS,
  type Exit,
  type ExitKind,
  exitByName,
  exitName,
  exitOf,
  NPF_EXIT,
} from "./svm/exits.ts";
export { Guests } from "./svm/guests.ts";
export { INTERCEPTS } from "./svm/intercepts.ts";
export { interruptPossible } from "./svm/interrupts.ts";
export { MSR_RANGES, msrPermission } from "./svm/msr-intercept.ts";
export {
  type BitFields,
  type DecodedBit,
  decodeBits,
  decodeWord,
  describeWord,
  TlbControl,
  VMCB_BYTES,
  VMCB_FIELDS,
  type VmcbField,
  type VmcbFieldName,
  vmcbFieldBytes,
} from "./svm/vmcb.ts";
export {
  encodeVmcbField,
  type VmcbSegment,
  type VmcbValue,
  VmcbView,
  vmcbFieldOf,
} from "./svm/vmcb-view.ts";
export { VMRUN_CHECKS } from "./svm/vmrun-checks.ts";
export { CR4_WRITABLE, EFER_WRITABLE } from "./system/control-registers.ts";
export { Attribute } from "./system/descriptors.ts";
export { EXCEPTIONS, type ExceptionName, GuestFault } from "./system/exceptions.ts";
export { CR0, CR4, EFER, PHYSICAL_ADDRESS_BITS } from "./system/mode.ts";
export {
  MSRS,
  msrByNumber,
  msrValue,
  unknownMsrAccesses,
  writeMsr,
} from "./system/msrs.ts";
export {
  differingFields,
  differingMemory,
  differingRegisters,
  type EndState,
  endStateOf,
  exitsUpTo,
  firstDifference,
} from "./time/compare-futures.ts";
export { type Future, parting } from "./time/futures.ts";
export type { LoggedInput } from "./time/input-log.ts";
export { compareInstants, firstAt, type Instant, lastAt, RESET } from "./time/instant.ts";
export {
  ExitLedger,
  type ExitRow,
  exitRow,
} from "./time/ledger.ts";
export { LedgerTable } from "./time/ledger-columns.ts";
export { type Density, exitDensity } from "./time/ledger-density.ts";
export { FilterError, parseFilter } from "./time/ledger-filter.ts";
export { type ExitGroup, GROUP_KEYS, type GroupBy, groupRows } from "./time/ledger-groups.ts";
export { type LedgerCondition, type LedgerRows, selectRows } from "./time/ledger-query.ts";
export { sortRows } from "./time/ledger-sort.ts";
export { type Check, type Recording, readRecording } from "./time/recording.ts";
export { RecordingError } from "./time/recording-bytes.ts";
export type { Codec } from "./time/recording-container.ts";
export { sha256 } from "./time/recording-hash.ts";
export type { RecordingConfiguration } from "./time/recording-parts.ts";
export { machineOf, replayChecked, timelineOf } from "./time/recording-replay.ts";
export { Recorder, type RecorderOptions, recordingOf } from "./time/recording-writer.ts";
export { SNAPSHOTS, type SnapshotPolicy } from "./time/run-file.ts";
export type { Follower, LentSnapshots, StoredSnapshot } from "./time/snapshot-store.ts";
export {
  DivergedError,
  type Met,
  PastError,
  type SeekProgress,
  Timeline,
} from "./time/timeline.ts";
export { MACHINE_VERSION } from "./version.ts";
