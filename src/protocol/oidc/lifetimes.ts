/** How long what the engine makes lives, in seconds. */
const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

/** A code is exchanged at once; refresh tokens of a session end with it unless the app asked to stay (offline_access). */
export const LIFETIMES = Object.freeze({
  AccessToken: HOUR,
  AuthorizationCode: MINUTE,
  ClientCredentials: 10 * MINUTE,
  DeviceCode: 10 * MINUTE,
  Grant: 30 * DAY,
  IdToken: HOUR,
  Interaction: HOUR,
  RefreshToken: 14 * DAY,
  Session: DAY,
})
