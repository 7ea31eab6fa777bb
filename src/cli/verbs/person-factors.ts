/** What somebody has to show who they are: what `policy explain` needs to tell "add a passkey" from "use your passkey". */
import type { House } from '../verb.ts'

export interface Has {
  /** Kinds of factors of which one could be given now. */
  readonly kinds: readonly string[]
  /** A passkey whose key cannot be copied. */
  readonly hardware: boolean
}

/** Undefined where that person is nobody here any more. */
export async function factorsOf(id: string | undefined, { people, factors }: House): Promise<Has | undefined> {
  if (id === undefined || !(await people.byId(id))) return undefined
  const enrolled = (await factors.enrolled(id)).filter(({ left }) => left !== 0)
  return {
    kinds: [...new Set(enrolled.map(({ kind }) => kind))],
    hardware: enrolled.some(({ hardware }) => hardware === true),
  }
}
