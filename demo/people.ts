/** Kestrel Mobile, a fictitious retailer: who works there. */
import type { House } from '#cli'

export const PASSWORD = 'kestrel on the lamp post'

export const PEOPLE = [
  {
    username: 'sam',
    name: 'Sam de Vries',
    givenName: 'Sam',
    familyName: 'de Vries',
    mail: 'sam@kestrel.example',
    language: 'nl',
    organisation: 'retail/nl',
    groups: ['staff', 'store'],
    what: 'store employee',
  },
  {
    username: 'lena',
    name: 'Lena Hoffmann',
    givenName: 'Lena',
    familyName: 'Hoffmann',
    mail: 'lena@kestrel.example',
    language: 'de',
    organisation: 'retail/de',
    groups: ['staff', 'store', 'care'],
    what: 'store and care',
  },
  {
    username: 'mila',
    name: 'Mila Petrova',
    givenName: 'Mila',
    familyName: 'Petrova',
    mail: 'mila@kestrel.example',
    language: 'ru',
    organisation: 'care',
    groups: ['staff', 'care'],
    what: 'care agent',
  },
  {
    username: 'ada',
    name: 'Ada Bakker',
    givenName: 'Ada',
    familyName: 'Bakker',
    mail: 'ada@kestrel.example',
    language: 'en',
    organisation: 'head-office',
    groups: ['staff', 'head-office', 'administrators'],
    what: 'administrator at head office',
  },
] as const

export async function seedPeople({ people }: House): Promise<void> {
  for (const { what: _, groups, ...person } of PEOPLE) {
    await people.add({ ...person, mailVerified: true, groups: [...groups], password: PASSWORD }, 'demo')
  }
}
