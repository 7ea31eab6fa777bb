/** Pieces of fixes that several causes have in common. */
import type { App } from '#catalog'

/** An id is a slug (`#catalog`): nothing in it that a shell reads. */
export const snippet = ({ id }: App): string =>
  `portico apps snippet ${id} --for env    # the app's own settings, with the right values`

/** The registration is changed as a file. `setting`: of ours, or of the protocol's words. */
export const register = ({ id }: App, setting: string): string =>
  `portico apps export ${id} > ${id}.yaml    # then write ${setting} there, and: portico apps apply ${id}.yaml`

export const CLOCKS =
  'on both servers: `timedatectl status` shows whether a clock is set by network time; `timedatectl set-ntp true` sees to it'
