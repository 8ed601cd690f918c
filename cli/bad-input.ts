/** What the user gave that cannot be used: printed as one sentence, exit status 2. */
export class BadInput extends Error {}
