/** What a call is let through with: all that the API is told. What a client sends under these names never reaches it. */
export const TOLD = [
  'X-Portico-Client',
  'X-Portico-Subject',
  'X-Portico-Scope',
  'X-Portico-Authorization-Details',
] as const
