/**
 * How a device comes to be enrolled: an administrator makes a code, whoever holds the device types it there, once. Nobody
 * can enrol a device without one.
 */
import type { Audit } from '#audit'
import { type Clock, days, type Instant, type Millis, minutes } from '#core/clock'
import { sha256 } from '#core/digest'
import { randomBytes } from '#core/random'
import { formatCode, plainCharacters } from '#core/reference'
import { Refusal } from '#core/refusal'
import { createNetworks, sourceOf, UNKNOWN_ADDRESS } from '#http'
import type { Storage } from '#storage'
import { DEVICE_KINDS, type EnrolledDevice, type EnrolledDevices, type NewEnrolled } from './enrolled.ts'

/** 60 bits: with thousands of codes open and a botnet that guesses for days the chance stays below one in a million. */
const LENGTH = 12
/** Of the id that a list shows instead of the code. */
const ID_LENGTH = 8
export const CODE_LIFE: Millis = minutes(30)
export const LONGEST_CODE_LIFE: Millis = days(7)
export const LONGEST_DEVICE_NAME = 80
/** Wrong codes from one address (IPv4 address, IPv6 /64 network); `docs/limits.md`. */
export const ENROLMENT_LIMIT = Object.freeze({ tries: 10, within: minutes(15) })

export interface Enrolment {
  readonly kind: EnrolledDevice['kind']
  readonly site?: string | undefined
  /** Where it is left out, what the browser calls itself. */
  readonly name?: string | undefined
  /** Addresses and networks (CIDR) in one of which the code must be typed; anywhere where it is left out. */
  readonly from?: readonly string[] | undefined
}

/** A code that nobody has used yet. What it is only the one knows who was told. */
export interface OpenCode extends Enrolment {
  readonly id: string
  readonly by: string
  readonly endsAt: Instant
}

export interface EnrolmentCode {
  /** Public, as lists show it. */
  readonly id: string
  /** `7K4Q-92MD-X3F8` */
  readonly code: string
  readonly endsAt: Instant
}

/** What the browser brings along that redeems a code. */
export interface Redeeming {
  readonly address: string
  /** What the browser calls itself. */
  readonly label: string
  /** As which it is enrolled already. */
  readonly enrolledCookie: string | undefined
  /** On which people are known. */
  readonly deviceCookie: string | undefined
}

const keyOf = (plain: string): string => `device-enrolment:${sha256(plain)}`
const GROUP = 'device-enrolments'

export function createEnrolment(rooms: {
  readonly storage: Storage
  readonly clock: Clock
  readonly audit: Audit
  readonly enrolled: EnrolledDevices
  /** Nobody is spared a second factor any more on the device of this cookie. */
  readonly distrust: (deviceCookie: string | undefined) => Promise<void>
}) {
  const { clock, audit, enrolled, distrust } = rooms
  const { state } = rooms.storage

  /**
   * ATTACK: counted before the code is looked at and given back when it was right, so a thousand guesses sent at once
   * are ten. Answers how the try is given back.
   */
  async function enter(address: string): Promise<() => Promise<unknown>> {
    const { tries, within } = ENROLMENT_LIMIT
    const now = clock.now()
    const key = `enrolment-tries:${sourceOf(address)}:${Math.floor(now / within)}`
    const count = await state.increment(key, 1, within)
    if (count === tries + 1) await audit.record('device-enrolment-refused', { reason: 'throttled' })
    if (count > tries)
      throw new Refusal('throttled', 'device-enrolment', { retryAfter: Math.ceil((within - (now % within)) / 1000) })
    return () => state.increment(key, -1, within)
  }

  async function openCodes(): Promise<{ key: string; code: OpenCode }[]> {
    return (await state.group(GROUP)).flatMap(({ key, value }) => {
      const code = read(value)
      return code ? [{ key, code }] : []
    })
  }

  return Object.freeze({
    /** Makes a code that enrols one device, within `life`. */
    async begin(about: Enrolment, by: string, life: Millis = CODE_LIFE): Promise<EnrolmentCode> {
      const code = formatCode(randomBytes(LENGTH))
      const stored: OpenCode = { ...about, id: formatCode(randomBytes(ID_LENGTH)), by, endsAt: clock.now() + life }
      await state.set(keyOf(plainCharacters(code, LENGTH)!), JSON.stringify(stored), { ttl: life, group: GROUP })
      await audit.record('device-enrolment-begun', { actor: by, reason: about.kind })
      return { code, id: stored.id, endsAt: stored.endsAt }
    },

    /** Codes that still enrol a device, the first to end first. */
    async open(): Promise<OpenCode[]> {
      return (await openCodes()).map(({ code }) => code).sort((a, b) => a.endsAt - b.endsAt || (a.id < b.id ? -1 : 1))
    },

    /**
     * These codes, by their ids or as they were told, enrol nothing any more; answers how many there were. Where somebody types one in this very moment,
     * either the device is enrolled or the code counts here, never both.
     */
    async cancel(named: readonly string[], by: string): Promise<number> {
      const wanted = new Set(
        named.flatMap((name) => {
          const plain = plainCharacters(name, LENGTH)
          return plain === undefined ? [name] : [keyOf(plain)]
        }),
      )
      const found = (await openCodes()).filter(({ key, code }) => wanted.has(code.id) || wanted.has(key))
      const taken = await Promise.all(found.map(({ key }) => state.take(key)))
      const count = taken.filter((text) => text !== undefined).length
      if (count > 0) await audit.record('device-enrolment-cancelled', { actor: by, count })
      return count
    },

    /**
     * Spends the code and makes this browser an enrolled device: of any number of simultaneous callers exactly one.
     * @throws Refusal `device-code-invalid` for a wrong, spent or late code; `throttled`
     */
    async redeem(
      typed: string,
      { address, label, enrolledCookie, deviceCookie }: Redeeming,
    ): Promise<{ readonly device: EnrolledDevice; readonly cookie: string }> {
      const plain = plainCharacters(typed, LENGTH)
      // a letter left out is no guess
      if (plain === undefined) throw new Refusal('device-code-invalid', 'no code')
      const giveBack = await enter(address)
      const key = keyOf(plain)
      // ATTACK: a code that leaked is worth nothing elsewhere, and nobody elsewhere can use it up, or learn that it is one
      const elsewhere = !isWithin(read(await state.get(key))?.from, address)
      const stored = elsewhere ? undefined : read(await state.take(key))
      if (!stored) {
        await audit.record('device-enrolment-refused', { reason: elsewhere ? 'network' : 'device-code-invalid' })
        throw new Refusal('device-code-invalid', 'wrong, spent or late')
      }
      await giveBack()
      const { by, kind, site, name } = stored
      const about: NewEnrolled = {
        kind,
        ...(site === undefined ? {} : { site }),
        name: name || label.slice(0, LONGEST_DEVICE_NAME) || kind,
        enrolledBy: by,
        ...(address === UNKNOWN_ADDRESS ? {} : { enrolledFrom: address }),
      }
      if (kind === 'shared') await distrust(deviceCookie)
      return enrolled.add(about, enrolledCookie)
    },
  })
}

/** An address that is not known is in no network. */
const isWithin = (from: readonly string[] | undefined, address: string): boolean =>
  from === undefined || createNetworks(from).has(address)

/** Undefined for what is none: bytes that somebody flipped enrol nothing. */
function read(text: string | undefined): OpenCode | undefined {
  if (text === undefined || text.includes('\uFFFD')) return undefined
  try {
    const stored = JSON.parse(text) as OpenCode
    return DEVICE_KINDS.includes(stored.kind) && typeof stored.by === 'string' ? stored : undefined
  } catch {
    return undefined
  }
}
