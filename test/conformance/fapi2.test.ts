/** FAPI 2.0 Security Profile: with `private_key_jwt` and DPoP. */
import { run } from './op/plan.ts'
import { PLANS } from './plans.ts'

for (const plan of PLANS['fapi2']!) run(plan)
