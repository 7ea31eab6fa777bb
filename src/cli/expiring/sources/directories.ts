/** What the directories of the settings know of their own ends: certificates, metadata, secrets towards them. */
import type { DirectoryExpiry } from '#directory'
import type { Source } from '../expiry.ts'

const WORDS: Readonly<Record<DirectoryExpiry['what'], { say(name: string): string; fix: string }>> = {
  'server-certificate': {
    say: (name) => `its server shows the certificate \`${name}\`, and is not reached with it any more`,
    fix: 'ask whoever runs the directory for a new certificate',
  },
  'certificate-authority': {
    say: (name) =>
      `\`ca_file\` has the authority \`${name}\`, and servers whose certificates rest on it are not reached any more`,
    fix: 'put the new authority into `ca_file` beside the old one',
  },
  'provider-certificate': {
    say: (name) => `the provider signs with \`${name}\`, and announces no later one`,
    fix: 'ask whoever runs the provider; its metadata are read again by themselves, a `metadata_file` is not',
  },
  'provider-metadata': {
    say: () => 'the metadata of the provider are not good any more',
    fix: 'get newer ones into `metadata_file`, or see that `metadata_url` answers',
  },
  'client-secret': {
    say: () => 'the provider does not take our `client_secret` any more (`client_secret_expires`)',
    fix: 'make a new one at the provider, put it into the settings with its `client_secret_expires`',
  },
}

export const directories: Source = {
  name: 'directories',
  async find({ people }) {
    const found = await people.ends()
    return {
      expiring: found.flatMap(({ directory, ends }) =>
        ends.map(({ what, name, at }) => ({
          what,
          of: directory,
          at,
          say: `${WORDS[what].say(name)}: people of ${directory} cannot sign in`,
          fix: WORDS[what].fix,
        })),
      ),
      unknown: found.flatMap(({ directory, problem }) =>
        problem === undefined ? [] : [{ what: 'directory', of: directory, say: problem }],
      ),
    }
  },
}
