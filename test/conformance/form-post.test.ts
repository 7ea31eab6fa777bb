/** OpenID Connect Core: Form Post OP, which is Basic OP once more with its answers as forms. */
import { FORM_POST } from './plans/list.ts'
import { runPlan } from './op/plans.ts'

runPlan(FORM_POST)
