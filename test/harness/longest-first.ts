/** The order of test files: those that boot Linux first, so that none of them runs alone at the end. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

const BOOTS_LINUX = /\/test\/machine\/|linux[^/]*$|\/symbols\/linux\//;

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => BOOTS_LINUX.test(moduleId);
    return [...sorted.filter(isLong), ...sorted.filter((each) => !isLong(each))];
  }
}
