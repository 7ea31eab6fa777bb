/**
 * An LDAP directory (RFC 4511): search as the service account, exactly one entry, bind as that entry with the password
 * on a connection of its own, groups by a second search. The password of a person goes to servers in the settings and
 * nowhere else: referrals are followed to those in `referrals` only (RFC 4511 §4.1.10), for people, not for groups.
 *
 * Equal work: the host adds the hash that a local password would cost, and unknown names cost the same search as known
 * ones. The bind itself cannot be faked, because only a real entry makes the server compare a password; so whoever can
 * time the server closely may tell known from unknown names. DEVIATION: that remains.
 */
import type { Entry } from 'ldapts'
import { Refusal } from '#core/refusal'
import type { DirectoryKind, Held, OpenDirectory, PasswordChange } from '../kind.ts'
import { createQueue } from '../queue.ts'
import type { UpstreamPerson } from '../upstream-person.ts'
import { accountOf } from './ldap-account.ts'
import { bindAs, type Connected, codeOf, openConnection } from './ldap-connection.ts'
import { toUpstream } from './ldap-entry.ts'
import { ldapEnds } from './ldap-expiry.ts'
import { modifyPassword, replaceUnicodePassword } from './ldap-password.ts'
import { createPool } from './ldap-pool.ts'
import { targetsOf } from './ldap-referrals.ts'
import { createServers } from './ldap-servers.ts'
import { clockOf, guarded, readLdap } from './ldap-sync.ts'
import { testLdap } from './ldap-test.ts'
import { createLdap } from './ldap-use.ts'

const AT_ONCE = 16
const WAITING = 500

export const ldap = Object.freeze<DirectoryKind<'ldap'>>({
  kind: 'ldap',
  async open(settings, { clock, log, folder }) {
    const use = await createLdap(settings, folder)
    const { id } = settings
    const servers = createServers(use.servers, { clock, log, directory: id })
    // on the one kind the service account searches, on the other people show their passwords
    const all = [...use.servers, ...use.referred]
    const searching = all.map((server) => createPool(server, clock, use.bindService))
    const showing = all.map((server) => createPool(server, clock, async () => {}))
    const unavailable = (code: string) => new Refusal('directory-unavailable', `directory ${id}: ${code}`)
    const late = (reason: string) => unavailable(`too many at once: ${reason}`)
    // a server that hangs must not collect an endless line of connections
    const queue = createQueue({
      clock,
      places: AT_ONCE,
      waiting: WAITING,
      deadline: use.servers[0]!.timeout,
      refuse: late,
    })

    /** Every failure to find out is `directory-unavailable`, never an answer. `index` is that of the server. */
    const asking = async <T>(work: (connected: Connected, index: number) => Promise<T>): Promise<T> => {
      try {
        return await queue.run(() =>
          servers.use((_, index) => searching[index]!.lease((connected) => work(connected, index))),
        )
      } catch (error) {
        throw error instanceof Refusal ? error : unavailable(codeOf(error))
      }
    }
    /** `at` is the server that has the entry: the one that was asked, or one that it points to. */
    type Place = { readonly entry: Entry; readonly at: number }
    const entryOf = async (connected: Connected, index: number, username: string): Promise<Place | undefined> => {
      const first = await use.find(connected, username).catch((error) => {
        // the answer as a whole is "ask over there", and the client does not say where
        if (codeOf(error) !== 'ldap-10' || use.referred.length === 0) throw error
        return { found: 0, entry: undefined, references: settings.referrals }
      })
      let found = first.found
      let place = first.entry && { entry: first.entry, at: index }
      for (const target of targetsOf(first.references, use.referred, settings.base_dn)) {
        const at = use.servers.length + target.index
        const there = await searching[at]!.lease((own) => use.find(own, username, target.base)).catch((error) => {
          // the server that was asked has answered: nothing of this speaks against it
          throw unavailable(`a referral: ${codeOf(error)}`)
        })
        found += there.found
        place = there.entry && { entry: there.entry, at }
      }
      if (found > 1) log.warn('directory-ambiguous', { directory: id, found })
      return found === 1 ? place : undefined
    }
    /**
     * After its end OpenLDAP binds nobody with the old one, and so takes no change from them. Active Directory takes it
     * from whoever knows the old one.
     */
    const changeable = (held: Held['held']): boolean =>
      settings.password_change &&
      (held === 'password-must-change' || (held === 'password-expired' && settings.template === 'active-directory'))
    const personOf = async (connected: Connected, entry: Entry, username: string): Promise<UpstreamPerson> => {
      const groups = await use.groups(connected, entry, username).catch((error) => {
        log.warn('directory-groups-unknown', { directory: id, code: codeOf(error) })
        return undefined
      })
      const person = toUpstream(entry, settings, groups, clock.now())
      if (!person) throw unavailable('an entry has no usable id or user name attribute')
      return person
    }

    return {
      id,
      kind: 'ldap',
      organisation: settings.organisation,
      local: false,
      lookup: (username) =>
        asking(async (connected, index) => {
          const place = await entryOf(connected, index, username)
          return place && personOf(connected, place.entry, username)
        }),
      verify: ({ username, password, person: known }) =>
        asking(async (connected, index) => {
          const place = await entryOf(connected, index, username)
          if (!place) return 'wrong'
          const { entry, at } = place
          // the service connection stays what it is: what the person may read decides nothing here
          const proving = showing[at]!.lease((own) => bindAs(own, entry.dn, password, settings.template))
          // asked at the same time: a directory that is far away is waited for twice, not three times
          const [proved, person] = await Promise.all([proving, personOf(connected, entry, username)])
          switch (proved) {
            case 'right':
              return person
            case 'wrong':
            case 'locked':
              // servers that say no more than "wrong" still write it into the entry
              if (proved === 'wrong' && !accountOf(entry, settings.template, clock.now()).locked) return 'wrong'
              log.warn('directory-account-locked', { directory: id, ...(known ? { person: known.id } : {}) })
              return 'locked'
            case 'disabled':
              return { ...person, disabled: true }
            default:
              return { person, held: proved, changeable: changeable(proved) }
          }
        }),
      health: servers.health,
      // past the queue: where people wait for a server that hangs, who looks must not wait behind them
      look: () =>
        servers
          .look((_, index) => searching[index]!.lease((connected) => use.look(connected)))
          .then(
            () => true,
            // what a server says, if it is no, says that it is there
            () => servers.answers(),
          ),
      ...(settings.password_change
        ? {
            changePassword: ({ username, upstreamId, current, next }: PasswordChange) =>
              asking(async (connected, index) => {
                const place = await entryOf(connected, index, username)
                // ATTACK: the name may be somebody else's by now
                if (!place || toUpstream(place.entry, settings, undefined, clock.now())?.upstreamId !== upstreamId)
                  return 'wrong'
                const change = { dn: place.entry.dn, current, next }
                return settings.template === 'active-directory'
                  ? searching[place.at]!.lease((own) => replaceUnicodePassword(own, change))
                  : modifyPassword(all[place.at]!, change)
              }),
          }
        : {}),
      async sync(ask) {
        const failed = (error: unknown) => (error instanceof Refusal ? error : unavailable(codeOf(error)))
        try {
          // a connection of its own: it is used for longer than anybody waits for a place in the pool
          const [connected, server] = await servers.use(async (one) => [
            await openConnection(one, use.bindService),
            one,
          ])
          return guarded(await readLdap({ ldap: use, connected, server, clock }, ask), failed)
        } catch (error) {
          throw failed(error)
        }
      },
      ends: () => ldapEnds(use.servers),
      clock: () => asking((connected, index) => clockOf(connected, all[index]!)),
      test: (username) => testLdap(use, username, clock.now()),
      close() {
        for (const pool of [...searching, ...showing]) pool.close()
      },
    } satisfies OpenDirectory
  },
})
