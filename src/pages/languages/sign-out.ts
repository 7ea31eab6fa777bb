/** What is said around signing out, in every language. */
import type { Language } from './language.ts'

const EN = {
  signedOut: {
    title: 'You are signed out',
    lead: 'You can put this device away or hand it over now.',
    leadOthers: 'Look at these apps before you hand this device over.',
    again: 'Sign in again',
    apps: 'Go back to an app',
    counted: '{confirmed} of {total} apps confirmed',
    all: 'All apps confirmed',
    open: 'Open {app}',
    states: {
      waiting: 'has not answered yet.',
      unreached: 'cannot be reached. We keep telling it. Close its tab.',
      refused: 'did not accept it. Sign out there too, or close its tab.',
      asked: 'can only be told through this browser and cannot confirm. Sign out there too, or close its tab.',
      deaf: 'does not take sign-outs. Sign out there too, or close its tab.',
    },
  },
  handOver: {
    title: 'One moment',
    lead: 'The apps of the person before you are being closed.',
  },
  signOut: {
    title: 'Sign out?',
    lead: 'This signs you out of all apps on this device.',
    submit: 'Sign out',
    stay: 'Stay signed in',
  },
}

type Words = typeof EN

export const signOutWords: Readonly<Record<Language, Words>> = Object.freeze({
  en: EN,
  nl: {
    signedOut: {
      title: 'U bent uitgelogd',
      lead: 'U kunt dit apparaat nu wegleggen of doorgeven.',
      leadOthers: 'Kijk naar deze apps voordat u dit apparaat doorgeeft.',
      again: 'Opnieuw inloggen',
      apps: 'Terug naar een app',
      counted: '{confirmed} van {total} apps hebben bevestigd',
      all: 'Alle apps hebben bevestigd',
      open: '{app} openen',
      states: {
        waiting: 'heeft nog niet geantwoord.',
        unreached: 'is niet bereikbaar. We blijven het melden. Sluit het tabblad.',
        refused: 'heeft het niet aangenomen. Log ook daar uit, of sluit het tabblad.',
        asked: 'hoort het alleen via deze browser en kan niet bevestigen. Log ook daar uit, of sluit het tabblad.',
        deaf: 'luistert niet naar uitloggen. Log ook daar uit, of sluit het tabblad.',
      },
    },
    handOver: {
      title: 'Een ogenblik',
      lead: 'De apps van de persoon vóór u worden gesloten.',
    },
    signOut: {
      title: 'Uitloggen?',
      lead: 'U wordt op dit apparaat uitgelogd uit alle apps.',
      submit: 'Uitloggen',
      stay: 'Ingelogd blijven',
    },
  },
  de: {
    signedOut: {
      title: 'Sie sind abgemeldet',
      lead: 'Sie können dieses Gerät jetzt weglegen oder weitergeben.',
      leadOthers: 'Sehen Sie nach diesen Apps, bevor Sie dieses Gerät weitergeben.',
      again: 'Wieder anmelden',
      apps: 'Zurück zu einer App',
      counted: '{confirmed} von {total} Apps haben bestätigt',
      all: 'Alle Apps haben bestätigt',
      open: '{app} öffnen',
      states: {
        waiting: 'hat noch nicht geantwortet.',
        unreached: 'ist nicht erreichbar. Wir melden es weiter. Schließen Sie den Tab.',
        refused: 'hat es nicht angenommen. Melden Sie sich auch dort ab, oder schließen Sie den Tab.',
        asked:
          'erfährt es nur über diesen Browser und kann nicht bestätigen. Melden Sie sich auch dort ab, oder schließen Sie den Tab.',
        deaf: 'nimmt keine Abmeldungen an. Melden Sie sich auch dort ab, oder schließen Sie den Tab.',
      },
    },
    handOver: {
      title: 'Einen Moment',
      lead: 'Die Apps der Person vor Ihnen werden geschlossen.',
    },
    signOut: {
      title: 'Abmelden?',
      lead: 'Sie werden auf diesem Gerät von allen Apps abgemeldet.',
      submit: 'Abmelden',
      stay: 'Angemeldet bleiben',
    },
  },
  ru: {
    signedOut: {
      title: 'Вы вышли',
      lead: 'Теперь можно отложить это устройство или передать его другому.',
      leadOthers: 'Проверьте эти приложения, прежде чем передать устройство.',
      again: 'Войти снова',
      apps: 'Вернуться в приложение',
      counted: 'Выход подтвердили: {confirmed} из {total}',
      all: 'Все приложения подтвердили выход',
      open: 'Открыть {app}',
      states: {
        waiting: 'ещё не ответило.',
        unreached: 'недоступно. Мы продолжаем сообщать. Закройте его вкладку.',
        refused: 'не приняло выход. Выйдите и там или закройте его вкладку.',
        asked:
          'узнаёт об этом только через этот браузер и не может подтвердить. Выйдите и там или закройте его вкладку.',
        deaf: 'не принимает сообщений о выходе. Выйдите и там или закройте его вкладку.',
      },
    },
    handOver: {
      title: 'Одну минуту',
      lead: 'Закрываются приложения того, кто был здесь до вас.',
    },
    signOut: {
      title: 'Выйти?',
      lead: 'Вы выйдете из всех приложений на этом устройстве.',
      submit: 'Выйти',
      stay: 'Остаться',
    },
  },
})
