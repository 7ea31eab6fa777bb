/** People who change their own password, wherever it is kept. */
import type { Audit } from '#audit'
import { Refusal } from '#core/refusal'
import type { OpenDirectory } from './kind.ts'
import { checkPassword, passwordText } from './passwords.ts'
import { about } from './rows.ts'
import type { Store } from './store.ts'

export interface OwnPassword {
  /** Whether people of this directory can change their password through us. */
  changesPassword(directoryId: string): boolean
  /**
   * For somebody who has just shown the current one (or never had one, where it is kept here). Throws
   * `directory-read-only`, `password-wrong`, `password-weak`, `password-in-history` for the current one itself;
   * `password-refused` and the like where the directory does not take it, `password-expired` where it takes no change any more, `directory-unavailable`, `overloaded`.
   */
  changePassword(id: string, passwords: { readonly current: string; readonly next: string }): Promise<void>
}

export function createOwnPassword({
  store,
  directories,
  audit,
  setPassword,
  forgetKept,
}: {
  store: Store
  directories: readonly OpenDirectory[]
  audit: Audit
  setPassword: (id: string, password: string, by: string) => Promise<void>
  /** What is kept of the old one for an outage goes. */
  forgetKept: (id: string) => Promise<void>
}): OwnPassword {
  const changing = (id: string | undefined) =>
    directories.find((one) => one.id === id && (one.local || one.changePassword !== undefined))
  return Object.freeze({
    changesPassword: (directoryId: string) => changing(directoryId) !== undefined,

    async changePassword(id: string, { current, next }: { readonly current: string; readonly next: string }) {
      const row = await store.row(id)
      if (!row) throw new Refusal('person-unknown', 'directory: password change')
      const directory = changing(row.directory)
      if (!directory) throw new Refusal('directory-read-only', `directory ${row.directory}`)
      if (!directory.changePassword || row.upstream_id === null) return setPassword(id, next, id)
      // a directory may allow less; what everybody guesses first is refused before it is asked
      const text = checkPassword(next, about(row))
      const shown = passwordText(current)
      // not every directory minds, and nothing would be renewed by it
      if (text === shown) throw new Refusal('password-in-history', 'password change: the current one')
      const { username, upstream_id: upstreamId } = row
      const verdict =
        shown === undefined
          ? 'wrong'
          : await directory.changePassword({ username, upstreamId, current: shown, next: text })
      if (verdict === 'wrong') throw new Refusal('password-wrong', 'password change')
      await forgetKept(id)
      await audit.record('person-changed', { actor: id, subject: id, factor: 'password' })
    },
  })
}
