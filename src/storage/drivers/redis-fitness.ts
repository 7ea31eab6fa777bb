/** Whether a Redis may keep our state, by what it says about itself when a connection is made. */

export interface Facts {
  /** Of this start of this server: two connections that see the same one are at the same server. */
  readonly run: string
  /** Why it must not be used, as the end of a sentence about it. */
  readonly unfit?: string
  /** What an operator should know all the same; a code for the log. */
  readonly doubts: readonly string[]
}

/** Hashes with several fields at once and `ZADD` as we use them are older; this is the oldest that is still maintained. */
const OLDEST = [6, 2] as const

const valuesOf = (info: string): ReadonlyMap<string, string> =>
  new Map(
    info.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(':')
      return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)] as const] : []
    }),
  )

/** `info`: the answer to `INFO`. `replicas`: how many have to confirm what is written. */
export function judge(info: string, kind: 'single' | 'sentinel' | 'cluster', replicas: number): Facts {
  const values = valuesOf(info)
  const value = (name: string) => values.get(name) ?? ''
  const [major = 0, minor = 0] = value('redis_version').split('.').map(Number)
  const limited = value('maxmemory') !== '0'
  const policy = value('maxmemory_policy')
  const appends = value('aof_enabled') === '1'
  const reasons: readonly (readonly [boolean, string])[] = [
    [value('role') !== 'master', 'is a replica'],
    [major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]), `is older than ${OLDEST.join('.')}`],
    [kind !== 'cluster' && value('cluster_enabled') === '1', 'is a node of a cluster; use redis+cluster in state.url'],
    // INVARIANT: nothing leaves before its time: a mark that something was spent would be the first that nobody asks for
    [
      limited && policy !== 'noeviction',
      `throws away what is kept when it is full (maxmemory-policy ${policy}); set noeviction`,
    ],
    [
      replicas === 0 && !appends,
      'would lose with a restart what it has answered; set appendonly yes, or name replicas in state.replicas',
    ],
  ]
  const unfit = reasons.find(([applies]) => applies)?.[1]
  const doubts = [
    ...(limited ? [] : ['maxmemory-not-set']),
    ...(appends ? [] : ['append-only-file-off']),
    ...(policy === 'noeviction' ? [] : ['maxmemory-policy-evicts']),
  ]
  return { run: value('run_id'), doubts, ...(unfit === undefined ? {} : { unfit }) }
}
