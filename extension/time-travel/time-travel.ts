/** Going through the past of a session: commands, position, and changes of the past. */
import { Disposable } from "vscode";
import { offerToChangeThePast } from "./change-the-past.ts";
import { registerTravelCommands } from "./commands.ts";
import { registerFutureCommands } from "./futures.ts";
import { PositionItem } from "./position-item.ts";
import { registerQuestionCommands } from "./questions.ts";

export function registerTimeTravel(): Disposable {
  const position = new PositionItem();
  return Disposable.from(
    position,
    registerTravelCommands(),
    registerQuestionCommands(),
    registerFutureCommands(),
    offerToChangeThePast((session) => void position.refresh(session)),
  );
}
