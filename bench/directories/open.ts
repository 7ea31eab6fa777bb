/** The rooms on a settings file, with the log silent. */
import { createLog } from '#audit'
import { loadSettings } from '#config'
import { systemClock } from '#core/clock'
import { openHouse } from '../../src/house.ts'

export function openRooms(file: string) {
  const { settings, folder, problems } = loadSettings(file, {})
  if (!settings) throw new Error(JSON.stringify(problems))
  return openHouse({ settings, folder, clock: systemClock, log: createLog({ level: 'silent' }) })
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}
