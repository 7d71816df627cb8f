// In which order test files begin: in a random one, but those with a process each before those that share one, and of
// both those that start processes before those that only compute. One that takes long and begins last would leave the
// other cores idle.

import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { Random } from '../support/random.ts'

const slow = /\/test\/(io|inspect|project|recipes)\/|\/linear\./

export class SlowFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { seed } = this.ctx.config.sequence
    // As they were listed depends on the file system.
    const listed = files.toSorted((a, b) => (a.moduleId < b.moduleId ? -1 : 1))
    const shuffled = new Random(seed).shuffle(listed)
    const rank = ({ moduleId, project }: TestSpecification): number =>
      (project.name === 'shared' ? 2 : 0) + (slow.test(moduleId) ? 0 : 1)
    return Promise.resolve(shuffled.sort((a, b) => rank(a) - rank(b)))
  }
}
