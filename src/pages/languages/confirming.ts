/** What is said where an app asks somebody to confirm on a screen of their own, in every language. */
import type { Language } from './language.ts'

const EN = {
  confirming: {
    waiting: 'Somebody asks you to confirm',
    title: '{app} asks you to confirm',
    asker: '{name} asks you with this app.',
    noAsker: 'The app does not say who is asking. Approve only what you expect.',
    message: 'These words should stand on the other screen as well, or be said to you:',
    may: 'If you approve, {app} may:',
    times: 'Asked {asked}. Open until {until}.',
    look: 'Look at it',
    proveFirst: 'You are asked to prove that it is you first.',
    proved: 'You have proved that it is you. Now answer.',
    prove: 'Continue',
    approve: 'Approve',
    refuse: 'Refuse',
    disown: 'I know nothing about this',
    disownLead: 'Then it is refused, and this app shows you nothing more until tomorrow. Tell your help desk.',
    disownSubmit: 'Refuse and stop this app',
    done: {
      approved: 'You have approved it. The app goes on by itself.',
      refused: 'You have refused it. The app is told.',
      disowned: 'It was refused, and this app shows you nothing more until tomorrow. Please tell your help desk.',
    },
  },
}

type Words = typeof EN

export const confirmingWords: Readonly<Record<Language, Words>> = Object.freeze({
  en: EN,
  nl: {
    confirming: {
      waiting: 'Iemand vraagt u om bevestiging',
      title: '{app} vraagt u om bevestiging',
      asker: '{name} vraagt het u met deze app.',
      noAsker: 'De app zegt niet wie het vraagt. Keur alleen goed wat u verwacht.',
      message: 'Deze woorden horen ook op het andere scherm te staan, of tegen u te worden gezegd:',
      may: 'Als u goedkeurt, mag {app}:',
      times: 'Gevraagd {asked}. Open tot {until}.',
      look: 'Bekijken',
      proveFirst: 'Eerst wordt u gevraagd te bewijzen dat u het bent.',
      proved: 'U hebt bewezen dat u het bent. Antwoord nu.',
      prove: 'Verder',
      approve: 'Goedkeuren',
      refuse: 'Weigeren',
      disown: 'Ik weet hier niets van',
      disownLead: 'Dan wordt het geweigerd en toont deze app u tot morgen niets meer. Meld het bij uw helpdesk.',
      disownSubmit: 'Weigeren en deze app stoppen',
      done: {
        approved: 'U hebt het goedgekeurd. De app gaat vanzelf verder.',
        refused: 'U hebt het geweigerd. De app krijgt dat te horen.',
        disowned: 'Het is geweigerd en deze app toont u tot morgen niets meer. Meld het bij uw helpdesk.',
      },
    },
  },
  de: {
    confirming: {
      waiting: 'Jemand bittet Sie um eine Bestätigung',
      title: '{app} bittet Sie um eine Bestätigung',
      asker: '{name} fragt Sie mit dieser App.',
      noAsker: 'Die App sagt nicht, wer fragt. Stimmen Sie nur dem zu, was Sie erwarten.',
      message: 'Diese Worte sollten auch auf dem anderen Bildschirm stehen oder Ihnen gesagt werden:',
      may: 'Wenn Sie zustimmen, darf {app}:',
      times: 'Gefragt {asked}. Offen bis {until}.',
      look: 'Ansehen',
      proveFirst: 'Sie werden zuerst gebeten nachzuweisen, dass Sie es sind.',
      proved: 'Sie haben nachgewiesen, dass Sie es sind. Antworten Sie jetzt.',
      prove: 'Weiter',
      approve: 'Zustimmen',
      refuse: 'Ablehnen',
      disown: 'Davon weiß ich nichts',
      disownLead:
        'Dann wird es abgelehnt, und diese App zeigt Ihnen bis morgen nichts mehr. Sagen Sie es Ihrem Helpdesk.',
      disownSubmit: 'Ablehnen und diese App anhalten',
      done: {
        approved: 'Sie haben zugestimmt. Die App macht von selbst weiter.',
        refused: 'Sie haben abgelehnt. Die App erfährt es.',
        disowned: 'Es wurde abgelehnt, und diese App zeigt Ihnen bis morgen nichts mehr. Sagen Sie es Ihrem Helpdesk.',
      },
    },
  },
  ru: {
    confirming: {
      waiting: 'Вас просят подтвердить',
      title: '{app} просит вас подтвердить',
      asker: '{name} спрашивает вас через это приложение.',
      noAsker: 'Приложение не говорит, кто спрашивает. Подтверждайте только то, чего ждёте.',
      message: 'Эти же слова должны стоять на другом экране, или вам должны их сказать:',
      may: 'Если вы подтвердите, {app} сможет:',
      times: 'Спрошено {asked}. Открыто до {until}.',
      look: 'Посмотреть',
      proveFirst: 'Сначала вас попросят доказать, что это вы.',
      proved: 'Вы доказали, что это вы. Теперь ответьте.',
      prove: 'Продолжить',
      approve: 'Подтвердить',
      refuse: 'Отказать',
      disown: 'Я об этом ничего не знаю',
      disownLead:
        'Тогда будет отказано, и это приложение до завтра больше ничего вам не покажет. Сообщите в службу поддержки.',
      disownSubmit: 'Отказать и остановить приложение',
      done: {
        approved: 'Вы подтвердили. Приложение продолжит само.',
        refused: 'Вы отказали. Приложение об этом узнает.',
        disowned: 'Отказано, и это приложение до завтра больше ничего вам не покажет. Сообщите в службу поддержки.',
      },
    },
  },
})
