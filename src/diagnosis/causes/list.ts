/** Every cause. The first that fits what was seen is the one that is named. */
import type { Cause } from '../cause.ts'
import { audienceWrong } from './audience-wrong.ts'
import { authMethodWrong } from './auth-method-wrong.ts'
import { callbackLoop } from './callback-loop.ts'
import { certificateWrong } from './certificate-wrong.ts'
import { clientSecretWrong } from './client-secret-wrong.ts'
import { clockSkew } from './clock-skew.ts'
import { cookieBlocked } from './cookie-blocked.ts'
import { grantNotRegistered } from './grant-not-registered.ts'
import { groupsScopeMissing } from './groups-scope-missing.ts'
import { keyNotProved } from './key-not-proved.ts'
import { nameIdFormat } from './name-id-format.ts'
import { nameIdMissing } from './name-id-missing.ts'
import { notDiagnosed } from './not-diagnosed.ts'
import { pkceMissing } from './pkce-missing.ts'
import { pkceVerifierWrong } from './pkce-verifier-wrong.ts'
import { redirectUriChanged } from './redirect-uri-changed.ts'
import { redirectUriScheme } from './redirect-uri-scheme.ts'
import { redirectUriSlash } from './redirect-uri-slash.ts'
import { redirectUriWrong } from './redirect-uri-wrong.ts'
import { scopeNotRegistered } from './scope-not-registered.ts'
import { signInLoop } from './sign-in-loop.ts'
import { signatureAlgorithm } from './signature-algorithm.ts'
import { signatureMissing } from './signature-missing.ts'

export const CAUSES: readonly Cause[] = Object.freeze([
  redirectUriScheme,
  redirectUriSlash,
  redirectUriWrong,
  redirectUriChanged,
  authMethodWrong,
  clientSecretWrong,
  pkceMissing,
  pkceVerifierWrong,
  keyNotProved,
  clockSkew,
  audienceWrong,
  nameIdFormat,
  nameIdMissing,
  signatureAlgorithm,
  signatureMissing,
  certificateWrong,
  groupsScopeMissing,
  scopeNotRegistered,
  grantNotRegistered,
  cookieBlocked,
  signInLoop,
  callbackLoop,
  notDiagnosed,
])
