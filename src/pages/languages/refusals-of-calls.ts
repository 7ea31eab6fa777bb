/** The sentences that programs, and the proxies before them, are refused with: a part of `refusals.ts`. */
export const OF_CALLS = Object.freeze({
  'api-unknown': {
    nl: 'Deze API is hier niet geregistreerd.',
    de: 'Diese API ist hier nicht registriert.',
    ru: 'Этот программный интерфейс здесь не зарегистрирован.',
  },
  'details-missing': {
    nl: 'Dit toegangstoken is daar niet voor bedoeld.',
    de: 'Dieses Zugriffstoken ist dafür nicht bestimmt.',
    ru: 'Этот токен доступа для этого не предназначен.',
  },
  'path-ambiguous': {
    nl: 'Dit adres kan op meer dan één manier worden gelezen en wordt daarom niet geopend.',
    de: 'Diese Adresse lässt sich auf mehr als eine Weise lesen und wird deshalb nicht geöffnet.',
    ru: 'Этот адрес можно понять по-разному, поэтому он не открывается.',
  },
  'proxy-unknown': {
    nl: 'Dit wordt alleen beantwoord aan proxy’s die hier bekend zijn.',
    de: 'Das wird nur Proxys beantwortet, die hier bekannt sind.',
    ru: 'На это отвечают только известным здесь прокси.',
  },
  'scope-missing': {
    nl: 'Dit toegangstoken geldt daar niet voor.',
    de: 'Dieses Zugriffstoken gilt dafür nicht.',
    ru: 'Этот токен доступа на это не распространяется.',
  },
  'token-invalid': {
    nl: 'Dit toegangstoken is hier niet geldig, of niet meer.',
    de: 'Dieses Zugriffstoken gilt hier nicht oder nicht mehr.',
    ru: 'Этот токен доступа здесь не действует или больше не действует.',
  },
  'token-required': {
    nl: 'Hierop komt alleen antwoord met een toegangstoken.',
    de: 'Das wird nur mit einem Zugriffstoken beantwortet.',
    ru: 'На это отвечают только с токеном доступа.',
  },
})
