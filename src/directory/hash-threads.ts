/**
 * Threads for hashes, and for nothing else. A hash takes twenty milliseconds of a core; on the threads that Node shares out it would run at the
 * priority of the thread that answers everybody, who then waits for the scheduler again and again. These step back: who is asked
 * for nothing is not held up by those who type passwords, while whatever the cores have left is theirs.
 */
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Options } from '@node-rs/argon2'

/** `nice`: a thread of 10 gets a tenth of a core that another one wants as well. */
const NICENESS = 10
const PROGRAM = join(import.meta.dirname, 'hash-thread.js')

export type Job =
  | { readonly kind: 'hash'; readonly password: string; readonly options: Options }
  | { readonly kind: 'verify'; readonly password: string; readonly phc: string }

export interface HashThreads {
  hash(password: string, options: Options): Promise<string>
  /** Rejects for what is no PHC string. */
  verify(phc: string, password: string): Promise<boolean>
  /** Ends them; a hash that is on its way is not computed to its end. */
  close(): Promise<void>
}

interface Answer {
  readonly done?: unknown
  readonly error?: unknown
}

interface Thread {
  readonly worker: Worker
  over: boolean
  answer: ((answer: Answer) => void) | undefined
}

/** Each is begun when it is needed and kept; one that ends is replaced by the next hash. Whoever calls sees to how many run at once. */
export function createHashThreads(): HashThreads {
  const all = new Set<Thread>()
  const idle: Thread[] = []

  function begin(): Thread {
    const worker = new Worker(PROGRAM, { workerData: { niceness: NICENESS }, execArgv: [] })
    const thread: Thread = { worker, over: false, answer: undefined }
    const ended = (error: unknown) => {
      thread.over = true
      all.delete(thread)
      const at = idle.indexOf(thread)
      if (at >= 0) idle.splice(at, 1)
      thread.answer?.({ error })
    }
    worker.on('message', (answer: Answer) => thread.answer?.(answer))
    worker.on('error', ended)
    worker.on('exit', () => ended('it ended'))
    all.add(thread)
    return thread
  }

  async function run<T>(job: Job): Promise<T> {
    const thread = idle.pop() ?? begin()
    // a process that has nothing else to do ends, but not before its hash is there
    thread.worker.ref()
    const { promise, resolve } = Promise.withResolvers<Answer>()
    thread.answer = resolve
    thread.worker.postMessage(job)
    const { done, error } = await promise
    thread.answer = undefined
    thread.worker.unref()
    if (!thread.over) idle.push(thread)
    if (done === undefined) throw new Error(`no hash: ${error}`, { cause: error })
    return done as T
  }

  return {
    hash: (password, options) => run({ kind: 'hash', password, options }),
    verify: (phc, password) => run({ kind: 'verify', phc, password }),
    async close() {
      await Promise.all([...all].map(({ worker }) => worker.terminate()))
    },
  }
}
