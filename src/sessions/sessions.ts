/**
 * Sessions: who is signed in, in which browser, by which factors and until when. The authority for every protocol.
 *
 * - `registry.ts` `openSessions`: find by cookie, start, raise, limit, touch, list, end; what has ended, by its dead cookie
 * - `record.ts`   what a session is, and the arithmetic of its two ends
 * - `shelf.ts`    where it lies in short-lived state; every change is a compare-and-swap
 * - `ending.ts`   one way to end for all reasons, expiry included; who listens
 * - `sign-outs.ts` how each app of a session hears of its end, and what came of it: a protocol adds its `SignOutWay`
 * - `outbox.ts`   `openOutbox`: sign-outs on their way to apps, durable, with retries
 * - `devices.ts`  `openDevices`: browsers a person is known on, and until when one is trusted
 * - `enrolled.ts` browsers that an administrator has set up; `enrolment.ts` how: a code that is spent once
 * - `handle.ts`   the cookie value `<id>.<secret>` of all three
 * - `tables.ts`   devices and outbox; sessions themselves are short-lived state
 *
 * This room does not decide what a session is worth: it keeps proofs with their times, and the policy judges them.
 * A new thing that must go with a session: put it in the state group `with-session:<id>`, or listen with `onEnd`.
 */
export { type Device, type Devices, openDevices } from './devices.ts'
export { DIRECTORY_BACK, type EndedSession, type EndListener } from './ending.ts'
export { DEVICE_KINDS, DEVICE_REVOKED, type DeviceKind, type Enrolled, type EnrolledDevice } from './enrolled.ts'
export { CODE_LIFE, ENROLMENT_LIMIT, LONGEST_CODE_LIFE, LONGEST_DEVICE_NAME, type OpenCode } from './enrolment.ts'
export { DEVICE_COOKIE_AGE } from './handle.ts'
export {
  type Delivery,
  LOGOUT_EVENTS,
  type LogoutEvent,
  type LogoutRow,
  type Outbox,
  openOutbox,
  type Senders,
} from './outbox.ts'
export type { Limits, Proof, Session, SessionApp } from './record.ts'
export {
  type LeftSession,
  type NewSession,
  type OpenedSession,
  openSessions,
  type Sessions,
  type SessionsOptions,
} from './registry.ts'
export { withSession } from './shelf.ts'
export { createSignOuts, type SignOutState, type SignOuts, type SignOutWay, type Telling } from './sign-outs.ts'
export { sessionsMigrations } from './tables.ts'
