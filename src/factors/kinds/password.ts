/** Passwords. The directory keeps and checks them; here they are one factor among others. */
import { type Factor, type FactorParts, type FactorRow, typed } from '../factor.ts'
import { LONGEST_PASSWORD } from '../limits.ts'

function create({ verifyPassword, hasPassword }: FactorParts): Factor {
  return Object.freeze({
    description: Object.freeze({
      kind: 'password',
      of: ['knowledge'],
      phishingResistant: false,
      amr: ['pwd'],
    } as const),
    lane: 'password',
    refusal: 'password-wrong',

    async enrolled(personId) {
      return (await hasPassword(personId))
        ? [{ id: 'password', kind: 'password', label: 'Password', createdAt: 0 }]
        : []
    },

    async verify(input, { personId, username, knownDevice = false, enrolledDevice = false }) {
      const password = typed(input, 'password', LONGEST_PASSWORD)
      if (password === undefined || username === undefined) return { wrong: 'input-invalid' }
      const device = { known: knownDevice, enrolled: enrolledDevice }
      const verdict = await verifyPassword(username, password, device)
      if (verdict === 'wrong') return { wrong: 'password-wrong' }
      // ATTACK: told to the operator only. Directories say it whatever the password was, and for names that exist
      if (verdict === 'locked') return { wrong: 'account-locked' }
      if (verdict === 'unconfirmed') return { wrong: 'directory-down', refusal: 'password-unconfirmed' }
      const duringOutage = 'remembered' in verdict
      const toRenew = 'toRenew' in verdict ? verdict.because : undefined
      const person = 'toRenew' in verdict ? verdict.toRenew : 'remembered' in verdict ? verdict.remembered : verdict
      // ATTACK: another person's name and password in the middle of somebody's step-up
      if (personId !== undefined && person.id !== personId) return { wrong: 'another-person' }
      if (toRenew) return { personId: person.id, toRenew }
      return { personId: person.id, amr: ['pwd'], ...(duringOutage ? { duringOutage } : {}) }
    },

    // the directory adds, removes and moves them
    remove: async () => 'absent',
    removeAll: async () => 0,
    move: async () => 0,
  } satisfies Factor)
}

export const password: FactorRow = Object.freeze({ create, migrations: [] })
