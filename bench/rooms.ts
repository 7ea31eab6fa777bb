/** The rooms on a settings file, with the log silent. */
import { createLog } from '#audit'
import { loadSettings } from '#config'
import { systemClock } from '#core/clock'
import { openHouse } from '../src/house.ts'

export function openRooms(file: string) {
  const { settings, folder, problems } = loadSettings(file, {})
  if (!settings) throw new Error(JSON.stringify(problems))
  return openHouse({ settings, folder, clock: systemClock, log: createLog({ level: 'silent' }) })
}
