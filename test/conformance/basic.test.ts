/** OpenID Connect Core: Basic OP. */
import { run } from './op/plan.ts'
import { PLANS } from './plans.ts'

for (const plan of PLANS['basic']!) run(plan)
