import { counted } from './frequency.ts'

export const frequencyFailures = counted('frequency.failures', 'failures')
