/** The file that a session's run is recorded into as it goes on: what is left where the adapter is killed. */
import {
  type Codec,
  type ExitLedger,
  type Machine,
  Recorder,
  type RecorderOptions,
  type RecordingConfiguration,
  SNAPSHOTS,
  type Timeline,
} from "../../emulator/index.ts";
import type { LaunchConfiguration } from "../launch-arguments.ts";
import type { FileReader, FileSink } from "../services.ts";
import { messageOf, UserError } from "../text.ts";

interface OpenedFile {
  /** Where it is now: another session may begin a file of its name. */
  path: string;
  readonly sink: FileSink;
  /** Where the file is now that was there before. */
  readonly former: string | undefined;
}

interface Recordable {
  readonly machine: Machine;
  readonly timeline: Timeline | undefined;
  readonly ledger: ExitLedger | undefined;
}

/** `run.mvrec` of the run before this one. */
const formerOf = (path: string): string => path.replace(/(\.[^./\\]*)?$/, ".previous$1");

/** Those that sessions of this adapter process still write. */
const OPENED = new Set<OpenedFile>();

/**
 * The file that the launch configuration names, written from its start; the one of the run before is kept
 * beside it. Rejects as openForWriting.
 */
export async function openRecordingFile(
  { recordingFile, cwd }: LaunchConfiguration,
  files: FileReader,
): Promise<OpenedFile | undefined> {
  if (recordingFile === undefined) return undefined;
  const path = files.resolve(recordingFile, cwd);
  const former = formerOf(path);
  if ([...OPENED].some((each) => each.path === former)) {
    throw new UserError(
      `${path} cannot begin anew: ${former}, which would be lost, is still recorded into by another session. Give "recordingFile" another name.`,
    );
  }
  const isKept = await files.rename(path, former);
  for (const each of OPENED) if (each.path === path) each.path = former;
  const sink = await files.openForWriting(path);
  const opened = { path, sink, former: isKept ? former : undefined };
  OPENED.add(opened);
  return opened;
}

/** The machine stands at its reset, as `configuration` has it. */
export function recordInto(
  file: OpenedFile,
  configuration: RecordingConfiguration,
  { machine, timeline, ledger }: Recordable,
  codec: Codec,
): SessionRecording {
  return new SessionRecording(file, machine, {
    configuration,
    codec,
    snapshots: SNAPSHOTS,
    ...(timeline === undefined ? {} : { timeline }),
    ...(ledger === undefined ? {} : { ledger }),
  });
}

export class SessionRecording {
  private readonly file: OpenedFile;
  private readonly recorder: Recorder;
  private isOver = false;
  private problem: string | undefined;
  private tell: ((problem: string) => void) | undefined;

  constructor(file: OpenedFile, machine: Machine, options: Omit<RecorderOptions, "append">) {
    this.file = file;
    this.recorder = new Recorder(machine, { ...options, append: (bytes) => this.append(bytes) });
  }

  /** Calls back, once, with why the file cannot be written on: the session goes on without it. */
  onProblem(tell: (problem: string) => void): void {
    this.tell = tell;
    const { problem } = this;
    this.problem = undefined;
    if (problem !== undefined) tell(problem);
  }

  /** Whether it is the file at that path that is still written. */
  writes(path: string): boolean {
    return !this.isOver && path === this.file.path;
  }

  private append(bytes: Uint8Array): void {
    if (this.isOver) return;
    const { sink } = this.file;
    try {
      sink.write(bytes);
    } catch (caught) {
      this.close();
      const problem = `The session goes on without its recording, in which all up to here is good: ${messageOf(caught)}`;
      if (this.tell === undefined) this.problem = problem;
      else this.tell(problem);
    }
  }

  private close(): void {
    this.isOver = true;
    OPENED.delete(this.file);
    this.file.sink.close();
  }

  /** Between two runs of the machine: writes what is due. */
  keepUp(): void {
    if (!this.isOver) this.recorder.keepUp();
  }

  /** Writes all that there is up to now. */
  flush(): void {
    if (!this.isOver) this.recorder.flush();
  }

  /** The run ends here. */
  finish(): void {
    if (this.isOver) return;
    this.recorder.finish();
    if (!this.isOver) this.close();
  }
}
