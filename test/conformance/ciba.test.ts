/** CIBA in poll mode, after the plan of FAPI-CIBA: signed requests, `private_key_jwt` and DPoP. */
import { run } from './op/plan.ts'
import { PLANS } from './plans.ts'

for (const plan of PLANS['ciba']!) run(plan)
