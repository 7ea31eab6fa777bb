/** Every kind of thing that ends at a time known beforehand. To add one: its file, and a line here. */
import type { Source } from '../expiry.ts'
import { appCertificates } from './app-certificates.ts'
import { appSecrets } from './app-secrets.ts'
import { clientCertificates } from './client-certificates.ts'
import { datedTemplates } from './dated-templates.ts'
import { directories } from './directories.ts'
import { partners } from './partners.ts'
import { places } from './places.ts'
import { probes } from './probes.ts'
import { samlKeys } from './saml-keys.ts'
import { signingKeys } from './signing-keys.ts'

export const SOURCES: readonly Source[] = [
  appCertificates,
  appSecrets,
  samlKeys,
  signingKeys,
  directories,
  clientCertificates,
  partners,
  datedTemplates,
  probes,
  places,
]
