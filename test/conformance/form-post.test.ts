/** OpenID Connect Core: Form Post OP, which is Basic OP once more with its answers as forms. */
import { run } from './op/plan.ts'
import { PLANS } from './plans.ts'

for (const plan of PLANS['form-post']!) run(plan)
