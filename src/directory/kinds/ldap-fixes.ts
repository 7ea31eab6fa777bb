/** What an operator can do about what goes wrong with an LDAP server, by the code that `codeOf` gives it. */

export const FIXES: Readonly<Record<string, string>> = Object.freeze({
  ENOTFOUND: 'the host of `url` has no address: correct it, or the name server',
  EAI_AGAIN: 'the name server does not answer',
  ECONNREFUSED: 'nothing listens on this port: is the server running, is the port right?',
  EHOSTUNREACH: 'there is no way to this host: look at routes and firewalls',
  ENETUNREACH: 'there is no way to this network: look at routes and firewalls',
  ECONNRESET: 'the server hung up: with `ldaps://` on a plain port this is usual; try `ldap://` with `start_tls: true`',
  'connection-closed':
    'the server hung up: with `ldaps://` on a plain port this is usual; try `ldap://` with `start_tls: true`',
  timeout: 'no answer in time: a firewall that drops packets, or a server under load; `timeout` gives it longer',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'nobody known signed its certificate: name the PEM file of its authority in `ca_file`',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not known: name the PEM file of the authority in `ca_file`',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: name its PEM file in `ca_file`',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not the one in `ca_file`: ask for the right PEM file',
  CERT_SIGNATURE_FAILURE: 'its certificate is not signed by the authority in `ca_file`: ask for the right PEM file',
  CERT_HAS_EXPIRED: 'its certificate has expired: the server needs a new one',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host: use the name in it as host of `url`',
  'ldap-1': 'the server wants something else first: often a bind, so set `bind_dn` and `bind_password`',
  'ldap-2': 'the server does not know this request: for StartTLS use `ldaps://` instead',
  'ldap-52': 'the server says it is unavailable; for StartTLS it may have no certificate: use `ldaps://`',
  'ldap-8': 'the server wants a stronger connection: use `ldaps://` or `start_tls: true`',
  'ldap-13': 'the server wants a private connection: use `ldaps://` or `start_tls: true`',
  'ldap-32': 'the place does not exist: correct `base_dn` or `group_base_dn`',
  'ldap-34': 'this is not a DN: correct `bind_dn`, `base_dn` or `group_base_dn`',
  'ldap-48': 'the server does not take an anonymous bind: set `bind_dn` and `bind_password`',
  'ldap-49': 'wrong `bind_dn` or `bind_password`',
  'ldap-10': 'the server names another one (a referral): use that one in `url`, or allow it in `referrals`',
  'group-limit':
    'more groups, or deeper, than `groups.most` and `groups.depth` allow: raise them, or narrow `group_filter`; until then they are unknown',
  'group-unreadable':
    'the DN of a group, or of the person, is no UTF-8: rename it in the directory; until then their groups are unknown',
  'ldap-4': 'the server tells only some: raise its size limit for the service account; until then groups are unknown',
  'ldap-50': 'the service account may not read this: give it read access',
})

/** By the words of `accountOf`. */
export const ACCOUNT_FIXES: Readonly<Record<string, string>> = Object.freeze({
  disabled: 'enable the account in the directory',
  'account expired': 'give the account a later end in the directory',
  'locked after wrong passwords':
    'unlock it in the directory, and look there for who tries passwords; the person reads that the password is wrong',
  'must change the password': 'the person has to set a new password; `password_change: true` lets them do it here',
  'password expired': 'the person has to set a new password; `password_change: true` lets them do it here',
})
