/**
 * From where a sync reads on, and what a server says about changes. Two ways, told apart by what the server has:
 *
 * - Active Directory counts: every entry carries `uSNChanged`, the root `highestCommittedUSN`. The count is one server's own,
 *   so it goes with the server's name and the id of its database ([MS-ADTS] 3.1.1.1.9).
 * - All others write times (`modifyTimestamp`). A second is long: what was written in the second that was seen last, or came
 *   a little late, is read again until that second is certainly over.
 */
import { type Entry, type Filter, GreaterThanEqualsFilter } from 'ldapts'
import { type Instant, minutes, seconds } from '#core/clock'
import { sha256 } from '#core/digest'
import { readStamp, shiftStamp, writeStamp } from './ldap-stamps.ts'
import { texts } from './ldap-values.ts'

/** Written down between runs, as JSON. */
export interface Mark {
  readonly by: 'usn' | 'time'
  /** Which server, with which settings: with any other, everybody is read. */
  readonly of: string
  /** The count from which changes are new, or the newest time that was seen. */
  readonly at: string
  /** When `at` was seen first, by our clock. */
  readonly since: Instant
  /** What all groups were; empty where they have to be read again. */
  readonly groups: string
}

/** Entries may be written a little later than the time that they carry. */
const LATE = seconds(10)
/** After so long by our clock, a second of the server's is over, whatever time it believes it is. */
const OVER = minutes(2)

export interface Marker {
  /** What to ask of each entry. */
  readonly attribute: string
  /** What changed; undefined where everybody has to be read. */
  readonly changed: Filter | undefined
  readonly groupsBefore: string
  person(entry: Entry): void
  group(entry: Entry): void
  /** What all groups are that `group` was told of since the last call. */
  groups(): string
  /** Undefined where an entry carries nothing that a next run could compare. */
  mark(groups: string): string | undefined
}

interface Source {
  readonly by: Mark['by']
  readonly of: string
  /** `highestCommittedUSN`, read before anything else. */
  readonly usn: string | undefined
  readonly before: string | undefined
  readonly now: Instant
}

export function createMarker({ by, of, usn, before: text, now }: Source): Marker {
  const attribute = by === 'usn' ? 'uSNChanged' : 'modifyTimestamp'
  const given = parseMark(text)
  const before = given?.by === by && given.of === of ? given : undefined
  // where the clock was set back, nothing is over yet
  const over = before !== undefined && now - before.since > OVER
  const from = before && (by === 'usn' ? before.at : shiftStamp(before.at, over ? seconds(1) : -LATE))
  let newest = before?.at
  let newestGroup = ''
  let unknown = false
  let lines: string[] = []

  const stampOf = (entry: Entry): string | undefined => {
    const value = texts(entry, attribute)[0]
    return by === 'usn' ? value : readStamp(value)
  }
  const see = (entry: Entry): string => {
    const stamp = stampOf(entry)
    if (stamp === undefined) unknown = true
    else if (by === 'time' && (newest === undefined || stamp > newest)) newest = stamp
    return stamp ?? ''
  }
  return {
    attribute,
    changed:
      from === undefined
        ? undefined
        : new GreaterThanEqualsFilter({ attribute, value: by === 'usn' ? from : writeStamp(from) }),
    groupsBefore: before?.groups ?? '',
    person: (entry) => void see(entry),
    group(entry) {
      const stamp = see(entry)
      if (stamp > newestGroup) newestGroup = stamp
      lines.push(`${stamp} ${entry.dn}`)
    },
    groups() {
      const said = sha256(lines.sort().join('\n'))
      lines = []
      return said
    },
    mark(groups) {
      const at = by === 'usn' ? usn : newest
      if (at === undefined || unknown) return undefined
      const same = before?.at === at
      // a group that was written in the very second may be written once more in it
      const settled = by === 'usn' || (same && over) || newestGroup < shiftStamp(at, -LATE)
      const mark: Mark = { by, of, at, since: same ? before.since : now, groups: settled ? groups : '' }
      return JSON.stringify(mark)
    },
  }
}

function parseMark(text: string | undefined): Mark | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Mark)
  } catch {
    return undefined
  }
}
