/** A server for the tests of one file, and a database for each of them. */
import { afterAll, beforeAll } from 'vitest'
import { type Postgres, startPostgres } from '../support/postgres.ts'

export interface Databases {
  readonly server: Postgres
  /** The url of the database of this test. */
  url(): string
  /** From now on another one. */
  next(): Promise<void>
}

export function databases(): Databases {
  let server: Postgres
  let name = ''
  const self: Databases = {
    get server() {
      return server
    },
    url: () => server.url(name),
    async next() {
      name = await server.create()
    },
  }
  beforeAll(async () => {
    server = await startPostgres()
    await self.next()
  })
  afterAll(() => server?.end())
  return self
}

/** Makes the next large write of short-lived state fail as on a full disk: PostgreSQL's own error. */
export async function fill({ server, url }: Databases): Promise<void> {
  await server.query(
    `create function fill() returns trigger language plpgsql as $$ begin
      if length(to_jsonb(new)::text) > 1000000 then raise exception 'no space left' using errcode = 'disk_full'; end if;
      return new; end $$;
    create trigger fill before insert or update on state for each row execute function fill();
    create trigger fill before insert or update on state_members for each row execute function fill()`,
    new URL(url()).pathname.slice(1),
  )
}
