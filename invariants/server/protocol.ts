/** What the language server of .inv files adds to the Language Server Protocol. */

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
