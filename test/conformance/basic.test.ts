/** OpenID Connect Core: Basic OP. */
import { BASIC } from './plans/list.ts'
import { runPlan } from './op/plans.ts'

runPlan(BASIC)
