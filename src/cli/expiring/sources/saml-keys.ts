/** Our certificates towards SAML apps: when the next one signs, and when one ends. */
import { certificateEnds } from '#keys'
import { endpointsOf } from '../../verbs/app-lines.ts'
import type { Expiry, Source } from '../expiry.ts'

export const samlKeys: Source = {
  name: 'saml-keys',
  async find({ samlKeys: keys, catalog }, { settings }) {
    const apps = (await catalog.apps.list()).filter(({ saml }) => saml !== undefined).map(({ id }) => id)
    if (apps.length === 0) return { expiring: [] }
    const all = await keys.list()
    const whom = `${apps.length} SAML ${apps.length === 1 ? 'app' : 'apps'} (${apps.slice(0, 10).join(', ')}${apps.length > 10 ? ', …' : ''})`
    const successor = all.some(({ state }) => state === 'upcoming')
    return {
      expiring: all.flatMap(({ state, signsFrom, certificate }): Expiry[] => [
        ...(state === 'upcoming'
          ? [
              {
                what: 'saml-certificate-change',
                of: undefined,
                at: signsFrom,
                say: `answers are signed by another key: of ${whom}, those that do not read our metadata have to be given its certificate before`,
                fix: `give them ${endpointsOf(settings.issuer).saml_metadata_url} again; \`keys list\` tells the fingerprint`,
              },
            ]
          : []),
        ...(state === 'signing' && !successor
          ? certificateEnds(certificate).map(({ until }) => ({
              what: 'saml-certificate',
              of: undefined,
              at: until,
              say: `our certificate towards ${whom} ends, and apps may refuse what it signs`,
              fix: '`keys rotate --saml`, and tell the apps that do not read our metadata',
            }))
          : []),
      ]),
    }
  },
}
