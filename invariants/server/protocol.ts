/** What the language server of .inv files adds to the Language Server Protocol. */

/** Of documents with what is shipped, as "minvisor-invariants:/svm.inv"; the client gets them by SHIPPED_TEXT. */
export const SHIPPED_SCHEME = "minvisor-invariants";

/** A hypervisor that is debugged, or may be. */
export interface Hypervisor {
  /** Path of its ELF file. */
  readonly program: string;
  /** Directories in its debug information, and absolute paths where they are here: a launch's "sourceMap". */
  readonly sourceMap?: { readonly [from: string]: string };
  /** Paths of .inv files that are about it; what lies in their folders is too. */
  readonly invariantFiles?: readonly string[];
}

/** In the request "initialize". */
export interface InitializationOptions {
  /** A file is about the first that names one of its folder, else about the first. */
  readonly hypervisors?: readonly Hypervisor[];
}

/** Notification of InitializationOptions: the hypervisors are these from now on, or an ELF file has changed. */
export const SET_HYPERVISORS = "minvisor/setHypervisors";

/** Request of an Acl2FormParams, answered with an Acl2Form; an invariant that has none is an error of one sentence. */
export const ACL2_FORM = "minvisor/acl2Form";

export interface Acl2FormParams {
  /** Of the file, or the name of one that is shipped: "svm.inv". */
  readonly uri: string;
  /** Of the invariant. */
  readonly name: string;
}

export interface Acl2Form {
  /** A book, with what ACL2 certifies of it and what is only tested in its first lines. */
  readonly text: string;
}

/** Request of a ShippedTextParams, answered with a ShippedText; null where nothing of that name is shipped. */
export const SHIPPED_TEXT = "minvisor/shippedText";

export interface ShippedTextParams {
  readonly uri: string;
}

export interface ShippedText {
  readonly text: string;
}

/**
 * Request of TextDocumentPositionParams, answered with an ExpressionAt, or null: the expression that
 * ends in the name there, where it has a value whenever the machine stands still.
 */
export const EXPRESSION_AT = "minvisor/expressionAt";

export interface ExpressionAt {
  readonly expression: string;
}
