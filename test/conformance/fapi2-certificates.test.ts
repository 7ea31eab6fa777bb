/** FAPI 2.0 with certificates: tokens that are bound to them, and clients that are known by them. */
import { run } from './op/plan.ts'
import { PLANS } from './plans.ts'

for (const plan of PLANS['fapi2-certificates']!) run(plan)
