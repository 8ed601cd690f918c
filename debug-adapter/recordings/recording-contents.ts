/** Says what is in a recording, without a machine that runs it. */
import {
  type Codec,
  exitName,
  groupRows,
  type ImageFile,
  inputInWords,
  type ModuleFile,
  RecordingError,
  readRecording,
} from "../../emulator/index.ts";
import type {
  DescribedRecording,
  RecordedImage,
  RecordingContents,
} from "../protocol/recordings.ts";

/** More than anybody reads. */
const MOST_INPUTS = 1000;

export function describeRecording(
  path: string,
  file: Uint8Array,
  codec: Codec,
): DescribedRecording {
  try {
    return { contents: contentsOf(file, codec) };
  } catch (error) {
    if (error instanceof RecordingError) return { refused: `${path} ${error.message}.` };
    throw error;
  }
}

function contentsOf(file: Uint8Array, codec: Codec): RecordingContents {
  const { configuration, inputs, end, ledger, problem, ...rest } = readRecording(file, codec);
  const { kernel, modules = [], append, ramBytes } = configuration;
  const groups = ledger && [...groupRows(ledger, "reason")].sort((a, b) => b.count - a.count);
  return {
    fileBytes: file.length,
    kernel: imageOf(kernel),
    modules: modules.map(imageOf),
    ...(append === undefined ? {} : { append }),
    memoryBytes: ramBytes,
    instructions: end.icount,
    ticks: end.icount + end.idleTicks,
    exits: groups?.map(({ key, count }) => ({ reason: exitName(key), count })),
    inputs: inputs
      .slice(0, MOST_INPUTS)
      .map(({ at, input }) => ({ icount: at.icount, what: inputInWords(input) })),
    snapshots: rest.snapshots.length,
    checks: rest.checks.length,
    ...(problem === undefined ? {} : { problem }),
  };
}

const imageOf = ({ name, bytes, args }: ImageFile & Pick<ModuleFile, "args">): RecordedImage => ({
  ...{ name, bytes: bytes.length },
  ...(args === undefined ? {} : { args }),
});
