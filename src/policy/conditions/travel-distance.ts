import { distance } from '../places.ts'
import { travelled } from './travel.ts'

export const travelDistance = travelled('travel.distance', 'km', (here, before) => distance(here, before))
