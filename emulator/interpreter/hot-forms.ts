/** The forms that are cases of the interpreter's own dispatch, by measured share of a kernel boot. */

import type { Decoder } from "../decode/decoder.ts";
import type { Form } from "../decode/form.ts";

export function hotForms(_decoder: Decoder): readonly Form[] {
  return [];
}
