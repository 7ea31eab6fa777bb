/** The two people of a probe. Nobody else is ever spoken of, so that no account of a real person is touched. */
export interface ProbePerson {
  /** `sub`, and the persistent NameID. */
  readonly id: string
  readonly username: string
  readonly name: string
  readonly givenName: string
  readonly familyName: string
  /** RFC 2606 §2: nobody gets mail there. */
  readonly mail: string
}

const person = (id: string, givenName: string, familyName: string): ProbePerson => {
  const word = givenName.toLowerCase()
  return Object.freeze({
    id,
    username: `probe-${word}`,
    name: `${givenName} ${familyName}`,
    givenName,
    familyName,
    mail: `${word}.probe@probe.example`,
  })
}

/** The same in every run: an app that makes accounts has made them after the first. */
export const ALMA = person('portico-probe-7f3a', 'Alma', 'Probewell')
export const BORIS = person('portico-probe-c41e', 'Boris', 'Probeson')

/** Whether a page tells of the person, by anything that only they are called. */
export const isShown = (text: string, { id, username, name, mail }: ProbePerson): boolean =>
  [id, username, name, mail].some((word) => text.includes(word))
