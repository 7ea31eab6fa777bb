/** Small policies for tests whose subject is not the policy. */
export const POLICIES = Object.freeze({
  'networks.yaml': 'networks:\n  here: { ranges: [127.0.0.0/8, "::1/128"] }\n',
  'account.yaml': `policy: account
rules:
  - { name: whoever has signed in, allow: {} }
`,
  'plain.yaml': `policy: plain
rules:
  - { name: a machine, when: { request.kind: [api] }, allow: {} }
  - { name: staff, when: { user.groups: [staff] }, allow: {} }
`,
  'strict.yaml': `policy: strict
rules:
  - { name: two, when: { user.groups: [staff] }, allow: { strength: two-factors, within: 4h } }
`,
  'closed.yaml': `policy: closed
rules:
  - name: never here
    when: { network: [here] }
    deny: { say: { en: This stays closed here., nl: Dit blijft hier dicht. }, do: { en: Go somewhere else., nl: Ga ergens anders heen. } }
`,
})
