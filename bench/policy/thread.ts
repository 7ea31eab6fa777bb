/**
 * One core that decides as replay does: by the shipped policies, without a trace, questions that differ from one to the
 * next. Answers how many it decides in a second.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { decide } from '#policy'
import { policiesIn } from './deciding.ts'
import { questions, SHIPPED } from './world.ts'

const policies = policiesIn(SHIPPED)
const asked = questions(2000, 'store-apps', 7000).map((facts, n) => ({
  ...facts,
  user: { ...facts.user, groups: n % 5 === 0 ? ['staff', 'care'] : ['staff', 'store'] },
  app: { ...facts.app, tags: n % 9 === 0 ? ['high-risk'] : ['store'] },
  network: { ip: n % 4 === 0 ? '198.51.100.9' : '192.0.2.17' },
}))

function decideFor(milliseconds: number): number {
  const end = performance.now() + milliseconds
  let count = 0
  let allowed = 0
  while (performance.now() < end)
    for (let n = 0; n < 500; n++) {
      if (decide(policies, asked[count++ % asked.length]!, { trace: false }).outcome === 'allow') allowed++
    }
  if (allowed === 0 || allowed === count) throw new Error('these questions all have the same answer')
  return count
}

decideFor(1000)
const seconds = workerData as number
parentPort!.postMessage(decideFor(seconds * 1000) / seconds)
