import { counted } from './frequency.ts'

export const frequencySignIns = counted('frequency.sign_ins', 'sign_ins')
