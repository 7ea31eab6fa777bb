import { counted } from './frequency.ts'

export const frequencyPrompts = counted('frequency.prompts', 'prompts')
