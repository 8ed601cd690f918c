/** Every request that the session answers, with its arguments and the body of its response. */
import type { Context } from "../context.ts";
import type { CustomRequests, DebugProtocol as DP } from "../protocol.ts";

/** A request of DAP; without the type of its response, the response has no body. */
interface Exchange<Arguments, Response extends DP.Response | undefined = undefined> {
  readonly arguments: Arguments;
  readonly body: Response extends DP.Response ? NonNullable<Response["body"]> : undefined;
}

export interface Requests extends CustomRequests {
  readonly initialize: Exchange<DP.InitializeRequestArguments, DP.InitializeResponse>;
  readonly launch: Exchange<DP.LaunchRequestArguments>;
  readonly attach: Exchange<DP.AttachRequestArguments>;
  readonly configurationDone: Exchange<object>;
  readonly restart: Exchange<DP.RestartArguments>;
  readonly disconnect: Exchange<DP.DisconnectArguments>;
  readonly terminate: Exchange<DP.TerminateArguments>;
  readonly cancel: Exchange<DP.CancelArguments>;
  readonly threads: Exchange<object, DP.ThreadsResponse>;
  readonly stepBack: Exchange<DP.StepBackArguments>;
  readonly reverseContinue: Exchange<DP.ReverseContinueArguments>;
  readonly restartFrame: Exchange<DP.RestartFrameArguments>;
  readonly continue: Exchange<DP.ContinueArguments, DP.ContinueResponse>;
  readonly pause: Exchange<DP.PauseArguments>;
  readonly next: Exchange<DP.NextArguments>;
  readonly stepIn: Exchange<DP.StepInArguments>;
  readonly stepOut: Exchange<DP.StepOutArguments>;
  readonly stepInTargets: Exchange<DP.StepInTargetsArguments, DP.StepInTargetsResponse>;
  readonly gotoTargets: Exchange<DP.GotoTargetsArguments, DP.GotoTargetsResponse>;
  readonly goto: Exchange<DP.GotoArguments>;
  readonly terminateThreads: Exchange<DP.TerminateThreadsArguments>;
  readonly setBreakpoints: Exchange<DP.SetBreakpointsArguments, DP.SetBreakpointsResponse>;
  readonly setFunctionBreakpoints: Exchange<
    DP.SetFunctionBreakpointsArguments,
    DP.SetFunctionBreakpointsResponse
  >;
  readonly setInstructionBreakpoints: Exchange<
    DP.SetInstructionBreakpointsArguments,
    DP.SetInstructionBreakpointsResponse
  >;
  readonly setExceptionBreakpoints: Exchange<
    DP.SetExceptionBreakpointsArguments,
    DP.SetExceptionBreakpointsResponse
  >;
  readonly dataBreakpointInfo: Exchange<
    DP.DataBreakpointInfoArguments,
    DP.DataBreakpointInfoResponse
  >;
  readonly setDataBreakpoints: Exchange<
    DP.SetDataBreakpointsArguments,
    DP.SetDataBreakpointsResponse
  >;
  readonly breakpointLocations: Exchange<
    DP.BreakpointLocationsArguments,
    DP.BreakpointLocationsResponse
  >;
  readonly exceptionInfo: Exchange<DP.ExceptionInfoArguments, DP.ExceptionInfoResponse>;
  readonly stackTrace: Exchange<DP.StackTraceArguments, DP.StackTraceResponse>;
  readonly scopes: Exchange<DP.ScopesArguments, DP.ScopesResponse>;
  readonly variables: Exchange<DP.VariablesArguments, DP.VariablesResponse>;
  readonly locations: Exchange<DP.LocationsArguments, DP.LocationsResponse>;
  readonly setVariable: Exchange<DP.SetVariableArguments, DP.SetVariableResponse>;
  readonly source: Exchange<DP.SourceArguments, DP.SourceResponse>;
  readonly loadedSources: Exchange<DP.LoadedSourcesArguments, DP.LoadedSourcesResponse>;
  readonly modules: Exchange<DP.ModulesArguments, DP.ModulesResponse>;
  readonly evaluate: Exchange<DP.EvaluateArguments, DP.EvaluateResponse>;
  readonly setExpression: Exchange<DP.SetExpressionArguments, DP.SetExpressionResponse>;
  readonly completions: Exchange<DP.CompletionsArguments, DP.CompletionsResponse>;
  readonly readMemory: Exchange<DP.ReadMemoryArguments, DP.ReadMemoryResponse>;
  readonly writeMemory: Exchange<DP.WriteMemoryArguments, DP.WriteMemoryResponse>;
  readonly disassemble: Exchange<DP.DisassembleArguments, DP.DisassembleResponse>;
}

export type RequestName = keyof Requests;

/** Throws or rejects with an Error whose message is one clear sentence. */
export type Handler<R extends RequestName> = (
  context: Context,
  args: Requests[R]["arguments"],
) => Requests[R]["body"] | Promise<Requests[R]["body"]>;

export type RequestTable = { readonly [R in RequestName]: Handler<R> };

/** The part of the table that one file of this folder holds. */
export type Handlers<R extends RequestName> = Pick<RequestTable, R>;
