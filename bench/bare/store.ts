/**
 * The engine's storage as lean as it can be with the same promise as ours: SQLite in WAL mode, `synchronous=FULL`, writes
 * of one turn of the event loop committed together, nobody answered before the COMMIT.
 */
import { DatabaseSync } from 'node:sqlite'
import type { Adapter, AdapterPayload } from 'oidc-provider'

interface Row {
  exp: number | null
  c: number | null
  v: string
}

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const seconds = () => Math.floor(Date.now() / 1000)

export function openStore(file: string): (model: string) => Adapter {
  const db = new DatabaseSync(file)
  db.exec(`PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=4000;
    CREATE TABLE IF NOT EXISTS o(k TEXT PRIMARY KEY, g TEXT, u TEXT, exp INTEGER, c INTEGER, v TEXT) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS og ON o(g) WHERE g IS NOT NULL;
    CREATE INDEX IF NOT EXISTS ou ON o(u) WHERE u IS NOT NULL;`)
  const put = db.prepare(`INSERT INTO o VALUES(?,?,?,?,NULL,?)
    ON CONFLICT(k) DO UPDATE SET g=excluded.g, u=excluded.u, exp=excluded.exp, v=excluded.v`)
  const get = db.prepare('SELECT exp,c,v FROM o WHERE k=?')
  const getByUid = db.prepare('SELECT exp,c,v FROM o WHERE u=?')
  const use = db.prepare('UPDATE o SET c=? WHERE k=?')
  const remove = db.prepare('DELETE FROM o WHERE k=?')
  const removeGroup = db.prepare('DELETE FROM o WHERE g=?')

  let queue: (() => void)[] = []
  let waiting: Waiting[] = []
  // what waits for its commit, so that a request never misses its own write
  const overlay = new Map<string, Row | null>()

  function flush(): void {
    const [work, answers] = [queue, waiting]
    queue = []
    waiting = []
    let failure: unknown
    db.exec('BEGIN')
    try {
      for (const run of work) run()
      db.exec('COMMIT')
    } catch (error) {
      failure = error
      db.exec('ROLLBACK')
    }
    overlay.clear()
    for (const { resolve, reject } of answers)
      if (failure) reject(failure)
      else resolve()
  }

  const write = (run: () => void, key?: string, row?: Row | null): Promise<void> =>
    new Promise((resolve, reject) => {
      if (queue.length === 0) setImmediate(flush)
      queue.push(run)
      waiting.push({ resolve, reject })
      if (key !== undefined && row !== undefined) overlay.set(key, row)
    })
  const rowOf = (key: string) => (overlay.has(key) ? overlay.get(key) : (get.get(key) as Row | undefined))
  const payloadOf = (row: Row | null | undefined): AdapterPayload | undefined => {
    if (!row || (row.exp && row.exp <= seconds())) return undefined
    return { ...(JSON.parse(row.v) as AdapterPayload), ...(row.c ? { consumed: row.c } : {}) }
  }

  return (model) => {
    const keyOf = (id: string) => `${model}:${id}`
    return {
      upsert(id, payload, expiresIn) {
        const row: Row = { exp: expiresIn ? seconds() + expiresIn : null, c: null, v: JSON.stringify(payload) }
        const group = model === 'Grant' ? null : (payload.grantId ?? null)
        return write(() => put.run(keyOf(id), group, payload.uid ?? null, row.exp, row.v), keyOf(id), row)
      },
      find: async (id) => payloadOf(rowOf(keyOf(id))),
      findByUid: async (uid) => payloadOf(getByUid.get(uid) as Row | undefined),
      findByUserCode: async () => undefined,
      consume(id) {
        const at = seconds()
        const row = rowOf(keyOf(id))
        return write(() => use.run(at, keyOf(id)), keyOf(id), row && { ...row, c: at })
      },
      destroy: (id) => write(() => remove.run(keyOf(id)), keyOf(id), null),
      revokeByGrantId: (grantId) => write(() => removeGroup.run(grantId)),
    }
  }
}
