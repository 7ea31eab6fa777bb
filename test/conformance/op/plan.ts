/** Test plans as the Foundation cuts them, each module a function that finds fault or returns. */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type Op, type ResponseMode, startOp } from './op.ts'

/** By the Foundation's name of a module. */
export type Modules = Readonly<Record<string, (op: Op) => Promise<void>>>

export interface Plan {
  readonly name: string
  /** Where its modules stand, below `test/conformance`. */
  readonly files: Readonly<Record<string, Modules>>
  readonly mode?: ResponseMode
  /** Where it is not the plain one. */
  readonly start?: () => Promise<Op>
}

/** Takes each module in turn; a test is named after its module. */
export function run({ name, files, mode, start = () => startOp(mode) }: Plan): void {
  describe(name, () => {
    let op: Op
    beforeAll(async () => {
      op = await start()
    })
    afterAll(() => op?.close())
    for (const [module, take] of Object.values(files).flatMap((modules) => Object.entries(modules)))
      test(module, () => take(op))
  })
}
