/** OpenID Connect: Config OP, RP-Initiated OP, Back-Channel OP and Front-Channel OP. */
import { run } from './op/plan.ts'
import { PLANS } from './plans.ts'

for (const plan of PLANS['config-and-logout']!) run(plan)
