/** The plans that run here, by the test file that runs them, and the files with their modules. */
import { CLAIMS } from './basic/claims.ts'
import { HAPPY } from './basic/happy.ts'
import { REFUSALS } from './basic/refusals.ts'
import { SESSIONS } from './basic/sessions.ts'
import { startCiba } from './ciba/asking.ts'
import { HAPPY as ASKING } from './ciba/happy.ts'
import { REFUSALS as NOT_ASKED } from './ciba/refusals.ts'
import { DISCOVERY } from './config/discovery.ts'
import { CODES } from './fapi2/codes.ts'
import { startFapi, startSigning, type Variant } from './fapi2/parties.ts'
import { PROFILE } from './fapi2/profile.ts'
import { PROOFS } from './fapi2/proofs.ts'
import { PUSHING } from './fapi2/pushing.ts'
import { REQUESTS } from './fapi2/requests.ts'
import { SIGNED } from './fapi2/signed.ts'
import { RP_INITIATED } from './logout/rp-initiated.ts'
import { BACK_CHANNEL_MODULES, FRONT_CHANNEL_MODULES } from './logout/telling.ts'
import type { Op } from './op/op.ts'
import type { Plan } from './op/plan.ts'

const BASIC = {
  'basic/happy.ts': HAPPY,
  'basic/claims.ts': CLAIMS,
  'basic/sessions.ts': SESSIONS,
  'basic/refusals.ts': REFUSALS,
}

const SECURITY = {
  'fapi2/requests.ts': REQUESTS,
  'fapi2/pushing.ts': PUSHING,
  'fapi2/codes.ts': CODES,
  'fapi2/proofs.ts': PROOFS,
  'fapi2/profile.ts': PROFILE,
}
const SIGNING = { 'fapi2/signed.ts': SIGNED }

/** What is about proofs, and about assertions, has nothing to look at where there are certificates. */
const OF_PROOFS = /dpop|access-token-type-header/
const OF_ASSERTIONS = /client-assertion|as-audience-fails/

/** The modules of a plan that a variant of it has. */
function certified(
  plan: string,
  files: Plan['files'],
  variant: Variant,
  start: (of: Variant) => () => Promise<Op>,
): Plan {
  const without = (module: string) => OF_PROOFS.test(module) || (variant === 'mtls, mtls' && OF_ASSERTIONS.test(module))
  const left = Object.entries(files).map(([file, modules]) => [
    file,
    Object.fromEntries(Object.entries(modules).filter(([module]) => !without(module))),
  ])
  return { name: `${plan} (${variant})`, files: Object.fromEntries(left), start: start(variant) }
}

export const PLANS: Readonly<Record<string, readonly Plan[]>> = {
  basic: [{ name: 'oidcc-basic-certification-test-plan', files: BASIC }],
  'form-post': [{ name: 'oidcc-formpost-basic-certification-test-plan', files: BASIC, mode: 'form_post' }],
  'config-and-logout': [
    { name: 'oidcc-config-certification-test-plan', files: { 'config/discovery.ts': DISCOVERY } },
    {
      name: 'oidcc-rp-initiated-logout-certification-test-plan',
      files: { 'logout/rp-initiated.ts': RP_INITIATED },
    },
    {
      name: 'oidcc-backchannel-rp-initiated-logout-certification-test-plan',
      files: { 'logout/telling.ts': BACK_CHANNEL_MODULES },
    },
    {
      name: 'oidcc-frontchannel-rp-initiated-logout-certification-test-plan',
      files: { 'logout/telling.ts': FRONT_CHANNEL_MODULES },
    },
  ],
  ciba: [
    {
      name: 'fapi-ciba-id1-test-plan',
      files: { 'ciba/happy.ts': ASKING, 'ciba/refusals.ts': NOT_ASKED },
      start: startCiba,
    },
  ],
  fapi2: [
    { name: 'fapi2-security-profile-final-test-plan', files: SECURITY, start: startFapi() },
    { name: 'fapi2-message-signing-final-test-plan', files: SIGNING, start: startSigning() },
  ],
  'fapi2-certificates': [
    certified('fapi2-security-profile-final-test-plan', SECURITY, 'private_key_jwt, mtls', startFapi),
    certified('fapi2-security-profile-final-test-plan', SECURITY, 'mtls, mtls', startFapi),
    certified('fapi2-message-signing-final-test-plan', SIGNING, 'mtls, mtls', startSigning),
  ],
}
