/** Names of the environment that are ours. */

export const PREFIX = 'PORTICO_'
/** Names the settings file: read by `loadSettings`, no setting itself. */
export const CONFIG_VARIABLE = 'PORTICO_CONFIG'
