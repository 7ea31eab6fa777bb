import { clientOver, times } from './client-past.ts'

export const clientVolume = clientOver('volume', times, 'it is not known yet how often this program asks')
