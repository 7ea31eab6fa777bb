/** A store day as part of the bench: what was asked, and whether it was asked once. */
import { storeDay } from './store-day.ts'
import { table } from './table.ts'
import type { Found } from './verdict.ts'

export async function dayFound(): Promise<Found> {
  const day = await storeDay()
  const prompts = day.prompts.map(({ at, app, kind, asked, policy, rule, required }) => [
    ...[at, kind, app],
    asked.join(', '),
    `${policy} / ${rule}`,
    required,
  ])
  return {
    told: day,
    lines: [
      `${day.openings} openings of ${day.apps} apps by one person in ${day.hours} hours`,
      '',
      ...table(['at', 'prompt', 'opening', 'asked for', 'because of', 'which wants'], prompts),
    ],
    verdicts: [
      {
        what: 'prompts in a store day',
        is: `${day.signIns} sign-in, ${day.stepUps} step-up for ${day.openings} openings`,
        wanted: '1 sign-in, 1 step-up',
        met: day.signIns === 1 && day.stepUps === 1,
      },
    ],
  }
}
