/**
 * The library that checks passkeys. It brings three hundred modules, a tenth of what a start takes: so it is loaded when the
 * first page wants it, or when the house has opened (`warm`), whichever comes first.
 */
type Library = typeof import('@simplewebauthn/server') &
  Pick<typeof import('@simplewebauthn/server/helpers'), 'decodeAttestationObject'>

let loading: Promise<Library> | undefined

export function webauthn(): Promise<Library> {
  loading ??= Promise.all([import('@simplewebauthn/server'), import('@simplewebauthn/server/helpers')]).then(
    ([server, { decodeAttestationObject }]) => ({ ...server, decodeAttestationObject }),
  )
  return loading
}
