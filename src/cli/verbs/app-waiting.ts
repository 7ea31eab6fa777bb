/** `apps add --wait`: until somebody has signed in to the app. */
import { setTimeout as wait } from 'node:timers/promises'
import { type Instant, type Millis, seconds, stopwatch } from '#core/clock'
import { formatDuration } from '#core/duration'
import type { Context, House } from '../verb.ts'

const LOOK_EVERY: Millis = seconds(1)

interface FirstSignIn {
  readonly at: Instant
  /** Of the decision that let them in: `policy explain --receipt` tells who it was to whoever may know. */
  readonly receipt: string
}

/** Undefined at the end of the time. */
async function firstSignIn(
  { catalog, receipts }: Pick<House, 'catalog' | 'receipts'>,
  app: { readonly id: string; readonly createdAt: Instant },
  most: Millis,
  look: () => void,
): Promise<FirstSignIn | undefined> {
  const began = stopwatch()
  for (;;) {
    look()
    // receipts of all apps are read once only, when there is one to be found
    const opened = (await catalog.apps.list()).find(({ id }) => id === app.id)?.firstOpenedAt !== undefined
    for await (const page of opened ? receipts.since(app.createdAt) : []) {
      const found = page.receipts.find((receipt) => receipt.app === app.id && receipt.outcome === 'allow')
      if (found) return { at: found.at, receipt: found.reference }
    }
    if (stopwatch() - began >= most) return undefined
    await wait(Math.min(LOOK_EVERY, Math.max(1, most - (stopwatch() - began))))
  }
}

/** Says what it waits for and what came of it; the exit code. */
export async function waitForFirst(
  house: Pick<House, 'catalog' | 'receipts'>,
  app: { readonly id: string; readonly name: string; readonly createdAt: Instant },
  most: Millis,
  context: Context,
): Promise<number> {
  context.err(
    `waiting for the first sign-in of ${app.name}, ${formatDuration(most)} at most (Ctrl-C ends the waiting; the app stays) …`,
  )
  const first = await firstSignIn(house, app, most, () =>
    context.progress(`waiting for the first sign-in of ${app.name} …`),
  )
  context.print(
    { first_sign_in: first ? { at: new Date(first.at).toISOString(), receipt: first.receipt } : null },
    () =>
      first
        ? `first sign-in at ${timeOf(first.at)} by ${first.receipt} (\`policy explain --receipt ${first.receipt}\` tells who that was)`
        : `nobody has signed in to ${app.name} within ${formatDuration(most)}`,
  )
  return first ? 0 : 1
}

const timeOf = (at: Instant): string => {
  const [hour, minute] = [new Date(at).getHours(), new Date(at).getMinutes()]
  return [hour, minute].map((part) => String(part).padStart(2, '0')).join(':')
}
