import { counted } from './frequency.ts'

export const frequencyAppOpens = counted('frequency.app_opens', 'app_opens')
