import { clientOver, whole } from './client-past.ts'

export const clientFailures = clientOver(
  'failures',
  whole,
  'it is not known how often somebody failed to be this program',
)
