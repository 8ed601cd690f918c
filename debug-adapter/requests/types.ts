/** Every request that the session answers, with its arguments and the body of its response. */
import type { Context } from "../context.ts";
import type { CustomRequests, DebugProtocol as DP } from "../protocol.ts";

export interface Requests extends CustomRequests {
  readonly initialize: { arguments: DP.InitializeRequestArguments; body: DP.Capabilities };
  readonly launch: { arguments: DP.LaunchRequestArguments; body: undefined };
  readonly attach: { arguments: DP.AttachRequestArguments; body: undefined };
  readonly configurationDone: { arguments: object; body: undefined };
  readonly restart: { arguments: DP.RestartArguments; body: undefined };
  readonly disconnect: { arguments: DP.DisconnectArguments; body: undefined };
  readonly terminate: { arguments: DP.TerminateArguments; body: undefined };
  readonly cancel: { arguments: DP.CancelArguments; body: undefined };
  readonly threads: { arguments: object; body: DP.ThreadsResponse["body"] };
  readonly stepBack: { arguments: DP.StepBackArguments; body: undefined };
  readonly reverseContinue: { arguments: DP.ReverseContinueArguments; body: undefined };
  readonly restartFrame: { arguments: DP.RestartFrameArguments; body: undefined };
  readonly continue: { arguments: DP.ContinueArguments; body: DP.ContinueResponse["body"] };
  readonly pause: { arguments: DP.PauseArguments; body: undefined };
  readonly next: { arguments: DP.NextArguments; body: undefined };
  readonly stepIn: { arguments: DP.StepInArguments; body: undefined };
  readonly stepOut: { arguments: DP.StepOutArguments; body: undefined };
  readonly stepInTargets: {
    arguments: DP.StepInTargetsArguments;
    body: DP.StepInTargetsResponse["body"];
  };
  readonly gotoTargets: {
    arguments: DP.GotoTargetsArguments;
    body: DP.GotoTargetsResponse["body"];
  };
  readonly goto: { arguments: DP.GotoArguments; body: undefined };
  readonly terminateThreads: { arguments: DP.TerminateThreadsArguments; body: undefined };
  readonly setBreakpoints: {
    arguments: DP.SetBreakpointsArguments;
    body: DP.SetBreakpointsResponse["body"];
  };
  readonly setFunctionBreakpoints: {
    arguments: DP.SetFunctionBreakpointsArguments;
    body: DP.SetFunctionBreakpointsResponse["body"];
  };
  readonly setInstructionBreakpoints: {
    arguments: DP.SetInstructionBreakpointsArguments;
    body: DP.SetInstructionBreakpointsResponse["body"];
  };
  readonly setExceptionBreakpoints: {
    arguments: DP.SetExceptionBreakpointsArguments;
    body: NonNullable<DP.SetExceptionBreakpointsResponse["body"]>;
  };
  readonly dataBreakpointInfo: {
    arguments: DP.DataBreakpointInfoArguments;
    body: DP.DataBreakpointInfoResponse["body"];
  };
  readonly setDataBreakpoints: {
    arguments: DP.SetDataBreakpointsArguments;
    body: DP.SetDataBreakpointsResponse["body"];
  };
  readonly breakpointLocations: {
    arguments: DP.BreakpointLocationsArguments;
    body: DP.BreakpointLocationsResponse["body"];
  };
  readonly exceptionInfo: {
    arguments: DP.ExceptionInfoArguments;
    body: DP.ExceptionInfoResponse["body"];
  };
  readonly stackTrace: { arguments: DP.StackTraceArguments; body: DP.StackTraceResponse["body"] };
  readonly scopes: { arguments: DP.ScopesArguments; body: DP.ScopesResponse["body"] };
  readonly variables: { arguments: DP.VariablesArguments; body: DP.VariablesResponse["body"] };
  readonly locations: {
    arguments: DP.LocationsArguments;
    body: NonNullable<DP.LocationsResponse["body"]>;
  };
  readonly setVariable: {
    arguments: DP.SetVariableArguments;
    body: DP.SetVariableResponse["body"];
  };
  readonly source: { arguments: DP.SourceArguments; body: DP.SourceResponse["body"] };
  readonly loadedSources: {
    arguments: DP.LoadedSourcesArguments;
    body: DP.LoadedSourcesResponse["body"];
  };
  readonly modules: { arguments: DP.ModulesArguments; body: DP.ModulesResponse["body"] };
  readonly evaluate: { arguments: DP.EvaluateArguments; body: DP.EvaluateResponse["body"] };
  readonly setExpression: {
    arguments: DP.SetExpressionArguments;
    body: DP.SetExpressionResponse["body"];
  };
  readonly completions: {
    arguments: DP.CompletionsArguments;
    body: DP.CompletionsResponse["body"];
  };
  readonly readMemory: {
    arguments: DP.ReadMemoryArguments;
    body: NonNullable<DP.ReadMemoryResponse["body"]>;
  };
  readonly writeMemory: {
    arguments: DP.WriteMemoryArguments;
    body: NonNullable<DP.WriteMemoryResponse["body"]>;
  };
  readonly disassemble: {
    arguments: DP.DisassembleArguments;
    body: NonNullable<DP.DisassembleResponse["body"]>;
  };
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
