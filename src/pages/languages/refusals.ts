/**
 * The public sentence of every refusal in the languages other than English, whose sentences stand in core's table.
 * A new code is a row there and a row here: without it, the types do not hold.
 */
import { REFUSALS, type RefusalCode } from '#core/refusals'
import type { Language } from './language.ts'
import { OF_CALLS } from './refusals-of-calls.ts'

const TRANSLATED: Readonly<Record<RefusalCode, Readonly<Record<Exclude<Language, 'en'>, string>>>> = Object.freeze({
  ...OF_CALLS,
  'access-refused': {
    nl: 'U mag dit niet openen.',
    de: 'Sie dürfen das nicht öffnen.',
    ru: 'Вам нельзя это открыть.',
  },
  'app-exists': {
    nl: 'Er bestaat al een app met deze id.',
    de: 'Es gibt schon eine App mit dieser ID.',
    ru: 'Приложение с таким идентификатором уже есть.',
  },
  'app-invalid': {
    nl: 'De beschrijving van deze app klopt niet.',
    de: 'Diese App ist nicht richtig beschrieben.',
    ru: 'Это приложение описано с ошибкой.',
  },
  'app-name-taken': {
    nl: 'Een andere app heeft deze entity-id of host al.',
    de: 'Eine andere App hat diese Entity-ID oder diesen Host schon.',
    ru: 'Такое внешнее имя или такой хост уже есть у другого приложения.',
  },
  'app-unknown': {
    nl: 'Deze app is hier niet geregistreerd.',
    de: 'Diese App ist hier nicht registriert.',
    ru: 'Это приложение здесь не зарегистрировано.',
  },
  'app-without-secret': {
    nl: 'Deze app heeft geen geheim.',
    de: 'Diese App hat kein Geheimnis.',
    ru: 'У этого приложения нет секрета.',
  },
  'audit-trail-altered': {
    nl: 'Het logboek is niet wat er is geschreven.',
    de: 'Das Protokoll ist nicht das, was geschrieben wurde.',
    ru: 'Журнал не совпадает с тем, что было записано.',
  },
  'body-too-large': {
    nl: 'Wat er is gestuurd, is te groot.',
    de: 'Was gesendet wurde, ist zu groß.',
    ru: 'Отправлено слишком много данных.',
  },
  'claim-used': {
    nl: 'Deze link is al gebruikt of te oud.',
    de: 'Dieser Link wurde schon benutzt oder ist zu alt.',
    ru: 'Эта ссылка уже использована или устарела.',
  },
  'code-invalid': {
    nl: 'Deze code klopt niet.',
    de: 'Dieser Code stimmt nicht.',
    ru: 'Этот код неверен.',
  },
  'confirmation-over': {
    nl: 'Dit is al beantwoord, of er wacht niemand meer op.',
    de: 'Das wurde schon beantwortet, oder niemand wartet mehr darauf.',
    ru: 'На это уже ответили, или никто больше не ждёт.',
  },
  'conversation-expired': {
    nl: 'Dit inloggen duurde te lang. Begin opnieuw.',
    de: 'Diese Anmeldung hat zu lange gedauert. Bitte beginnen Sie von vorn.',
    ru: 'Вход занял слишком много времени. Начните сначала.',
  },
  'cross-origin': {
    nl: 'Dit formulier kwam van een andere site.',
    de: 'Dieses Formular wurde von einer anderen Website gesendet.',
    ru: 'Эта форма отправлена с другого сайта.',
  },
  'database-missing': {
    nl: 'Hier is nog geen database.',
    de: 'Hier gibt es noch keine Datenbank.',
    ru: 'Здесь пока нет базы данных.',
  },
  'device-code-invalid': {
    nl: 'Deze code klopt niet, is al gebruikt of is te oud.',
    de: 'Dieser Code stimmt nicht, wurde schon benutzt oder ist zu alt.',
    ru: 'Этот код неверен, уже использован или устарел.',
  },
  'device-unknown': {
    nl: 'Dit apparaat is niet bekend.',
    de: 'Dieses Gerät ist nicht bekannt.',
    ru: 'Это устройство неизвестно.',
  },
  'directory-forbids': {
    nl: 'Uw directory laat u op dit moment of vanaf deze plek niet inloggen. Vraag het waar u hulp krijgt.',
    de: 'Ihr Verzeichnis lässt Sie zu dieser Zeit oder von hier aus nicht anmelden. Bitte fragen Sie dort, wo Sie Hilfe bekommen.',
    ru: 'Ваш каталог пользователей не разрешает вход в это время или отсюда. Обратитесь туда, где вам помогают.',
  },
  'directory-read-only': {
    nl: 'Dit staat in een andere directory en moet daar worden gewijzigd.',
    de: 'Das wird in einem anderen Verzeichnis geführt und muss dort geändert werden.',
    ru: 'Эти данные хранятся в другом каталоге, изменить их можно только там.',
  },
  'directory-unavailable': {
    nl: 'Uw directory is nu niet bereikbaar. Probeer het zo meteen opnieuw.',
    de: 'Ihr Verzeichnis ist gerade nicht erreichbar. Bitte versuchen Sie es gleich noch einmal.',
    ru: 'Ваш каталог пользователей сейчас недоступен. Попробуйте ещё раз чуть позже.',
  },
  'directory-unknown': {
    nl: 'Die directory bestaat niet.',
    de: 'Dieses Verzeichnis gibt es nicht.',
    ru: 'Такого каталога нет.',
  },
  'enrolment-expired': {
    nl: 'Dit duurde te lang. Begin opnieuw met toevoegen.',
    de: 'Das hat zu lange gedauert. Bitte beginnen Sie mit dem Hinzufügen von vorn.',
    ru: 'Прошло слишком много времени. Начните добавление сначала.',
  },
  'factor-unknown': {
    nl: 'Die manier van inloggen bestaat niet.',
    de: 'Diesen Anmeldeweg gibt es nicht.',
    ru: 'Такого способа входа нет.',
  },
  'factors-full': {
    nl: 'Meer hiervan kan één persoon niet hebben.',
    de: 'Mehr davon kann eine Person nicht haben.',
    ru: 'Больше добавить нельзя: для одного человека это предел.',
  },
  'identity-taken': {
    nl: 'Dit account is al aan iemand gekoppeld.',
    de: 'Dieses Konto ist schon mit jemandem verbunden.',
    ru: 'Эта учётная запись уже с кем-то связана.',
  },
  'input-invalid': {
    nl: 'Iets van wat er is gestuurd, was niet te begrijpen.',
    de: 'Etwas von dem, was gesendet wurde, war nicht zu verstehen.',
    ru: 'Часть отправленных данных не удалось понять.',
  },
  internal: {
    nl: 'Er ging iets mis aan onze kant.',
    de: 'Bei uns ist etwas schiefgegangen.',
    ru: 'У нас произошла ошибка.',
  },
  'last-administrator': {
    nl: 'Dan is er niemand meer die dit kan beheren.',
    de: 'Dann könnte niemand mehr das hier verwalten.',
    ru: 'Тогда не останется никого, кто может этим управлять.',
  },
  'last-factor': {
    nl: 'Dit is de enige manier van inloggen die over is, dus die blijft.',
    de: 'Das ist der letzte Weg, sich anzumelden. Deshalb bleibt er.',
    ru: 'Это единственный оставшийся способ входа, поэтому он остаётся.',
  },
  'local-sign-in-only': {
    nl: 'Dit account is voor noodgevallen. Het logt hier in, met een eigen wachtwoord of passkey.',
    de: 'Dieses Konto ist für Notfälle. Es meldet sich hier an, mit einem eigenen Passwort oder Passkey.',
    ru: 'Эта учётная запись хранится для чрезвычайных случаев. Вход по ней только здесь, с собственным паролем или ключом доступа.',
  },
  'mail-invalid': {
    nl: 'Dit is geen mailadres.',
    de: 'Das ist keine Mailadresse.',
    ru: 'Это не адрес почты.',
  },
  'method-not-allowed': {
    nl: 'Dit adres neemt zo’n verzoek niet aan.',
    de: 'Diese Adresse nimmt eine solche Anfrage nicht an.',
    ru: 'Этот адрес не принимает такие запросы.',
  },
  'name-invalid': {
    nl: 'Een naam is één regel van 1 tot 200 tekens.',
    de: 'Ein Name ist eine Zeile mit 1 bis 200 Zeichen.',
    ru: 'Имя занимает одну строку длиной от 1 до 200 знаков.',
  },
  'newcomer-refused': {
    nl: 'U bent aangemeld, maar niemand kent dit account hier nog.',
    de: 'Sie sind angemeldet, aber dieses Konto kennt hier noch niemand.',
    ru: 'Вы вошли, но эту учётную запись здесь ещё никто не знает.',
  },
  'not-found': {
    nl: 'Op dit adres staat niets.',
    de: 'Unter dieser Adresse gibt es nichts.',
    ru: 'По этому адресу ничего нет.',
  },
  'outbound-failed': {
    nl: 'Een andere server was niet bereikbaar.',
    de: 'Ein anderer Server war nicht erreichbar.',
    ru: 'Не удалось связаться с другим сервером.',
  },
  'outbound-refused': {
    nl: 'Een andere server was niet bereikbaar.',
    de: 'Ein anderer Server war nicht erreichbar.',
    ru: 'Не удалось связаться с другим сервером.',
  },
  overloaded: {
    nl: 'Er loggen nu heel veel mensen in. Probeer het zo meteen opnieuw.',
    de: 'Gerade melden sich sehr viele Menschen an. Bitte versuchen Sie es gleich noch einmal.',
    ru: 'Сейчас входит очень много людей. Попробуйте ещё раз чуть позже.',
  },
  'partner-contract': {
    nl: 'Dit is van een partner; het contract bepaalt wat het is.',
    de: 'Dies gehört einem Partner; sein Vertrag legt fest, was es ist.',
    ru: 'Это принадлежит партнёру и определяется его договором.',
  },
  'partner-unknown': {
    nl: 'Deze partner is niet bekend.',
    de: 'Diesen Partner gibt es nicht.',
    ru: 'Такого партнёра нет.',
  },
  'passkey-invalid': {
    nl: 'Deze passkey kon niet worden gecontroleerd.',
    de: 'Dieser Passkey konnte nicht geprüft werden.',
    ru: 'Этот ключ доступа не удалось проверить.',
  },
  'password-expired': {
    nl: 'Dit wachtwoord klopt, maar het is verlopen. Stel een nieuw in waar u het altijd wijzigt en log daarmee in.',
    de: 'Dieses Passwort stimmt, ist aber abgelaufen. Setzen Sie ein neues, wo Sie es sonst ändern, und melden Sie sich damit an.',
    ru: 'Пароль верный, но срок его действия истёк. Задайте новый там, где вы обычно его меняете, и войдите с ним.',
  },
  'password-in-history': {
    nl: 'U hebt dit wachtwoord al eerder gebruikt. Kies een wachtwoord dat u nog niet hebt gebruikt.',
    de: 'Dieses Passwort haben Sie schon einmal benutzt. Bitte wählen Sie eines, das Sie noch nicht benutzt haben.',
    ru: 'Вы уже использовали этот пароль. Выберите такой, которого у вас ещё не было.',
  },
  'password-must-change': {
    nl: 'Dit wachtwoord klopt, maar u moet eerst een nieuw instellen. Doe dat waar u het altijd wijzigt en log daarmee in.',
    de: 'Dieses Passwort stimmt, aber Sie müssen zuerst ein neues setzen. Tun Sie das, wo Sie es sonst ändern, und melden Sie sich damit an.',
    ru: 'Пароль верный, но сначала нужно задать новый. Сделайте это там, где вы обычно его меняете, и войдите с ним.',
  },
  'password-refused': {
    nl: 'Uw directory neemt dit nieuwe wachtwoord niet aan: te kort, te eenvoudig, eerder gebruikt of te kort geleden gewijzigd. Kies een ander.',
    de: 'Ihr Verzeichnis nimmt dieses neue Passwort nicht an: zu kurz, zu einfach, schon benutzt oder zu kurz nach dem letzten Wechsel. Bitte wählen Sie ein anderes.',
    ru: 'Ваш каталог не принимает этот новый пароль: слишком короткий, слишком простой, уже использовался или изменён слишком недавно. Выберите другой.',
  },
  'password-too-short': {
    nl: 'Dit wachtwoord is te kort voor uw directory. Kies een langer wachtwoord.',
    de: 'Dieses Passwort ist Ihrem Verzeichnis zu kurz. Bitte wählen Sie ein längeres.',
    ru: 'Этот пароль слишком короткий для вашего каталога. Выберите более длинный.',
  },
  'password-too-young': {
    nl: 'Uw directory laat u uw wachtwoord pas enige tijd na de vorige wijziging opnieuw wijzigen. Probeer het later nog eens.',
    de: 'Ihr Verzeichnis lässt eine Änderung des Passworts erst einige Zeit nach der letzten zu. Bitte versuchen Sie es später noch einmal.',
    ru: 'Ваш каталог позволяет сменить пароль только через некоторое время после прошлой смены. Попробуйте позже.',
  },
  'password-unconfirmed': {
    nl: 'Uw directory is nu niet bereikbaar, dus dit kon niet worden bevestigd. Hebt u hier kort geleden ingelogd, controleer dan wat u hebt getypt; probeer het anders later opnieuw.',
    de: 'Ihr Verzeichnis ist gerade nicht erreichbar, deshalb ließ sich das nicht bestätigen. Wenn Sie sich hier vor Kurzem angemeldet haben, prüfen Sie Ihre Eingabe; sonst versuchen Sie es später noch einmal.',
    ru: 'Ваш каталог пользователей сейчас недоступен, поэтому подтвердить это не удалось. Если вы недавно входили здесь, проверьте, что вы ввели; если нет, попробуйте позже.',
  },
  'password-weak': {
    nl: 'Dit wachtwoord is te kort of te makkelijk te raden.',
    de: 'Dieses Passwort ist zu kurz oder zu leicht zu erraten.',
    ru: 'Этот пароль слишком короткий или его легко угадать.',
  },
  'password-wrong': {
    nl: 'De gebruikersnaam of het wachtwoord klopt niet.',
    de: 'Der Benutzername oder das Passwort stimmt nicht.',
    ru: 'Неверное имя пользователя или пароль.',
  },
  'person-disabled': {
    nl: 'Dit account is uitgeschakeld.',
    de: 'Dieses Konto ist abgeschaltet.',
    ru: 'Эта учётная запись отключена.',
  },
  'person-exists': {
    nl: 'Er bestaat al iemand met deze gebruikersnaam.',
    de: 'Es gibt schon jemanden mit diesem Benutzernamen.',
    ru: 'Человек с таким именем пользователя уже есть.',
  },
  'person-unknown': {
    nl: 'Deze persoon is niet bekend.',
    de: 'Diese Person ist nicht bekannt.',
    ru: 'Этот человек неизвестен.',
  },
  'proof-required': {
    nl: 'Bevestig nog een keer dat u het bent.',
    de: 'Bitte bestätigen Sie noch einmal, dass Sie es sind.',
    ru: 'Подтвердите ещё раз, что это вы.',
  },
  'provider-throttled': {
    nl: 'Heel veel mensen zijn vanuit uw netwerk op weg om daar in te loggen. Wacht even.',
    de: 'Sehr viele sind gerade aus Ihrem Netz unterwegs, um sich dort anzumelden. Bitte warten Sie einen Moment.',
    ru: 'Из вашей сети сейчас очень многие пошли входить туда. Подождите немного.',
  },
  'request-refused': {
    nl: 'De app stuurde een verzoek dat niet kan worden beantwoord.',
    de: 'Die App hat eine Anfrage gesendet, die sich nicht beantworten lässt.',
    ru: 'Приложение отправило запрос, на который нельзя ответить.',
  },
  'sealed-record-invalid': {
    nl: 'Er ging iets mis aan onze kant.',
    de: 'Bei uns ist etwas schiefgegangen.',
    ru: 'У нас произошла ошибка.',
  },
  'session-required': {
    nl: 'Log eerst in.',
    de: 'Bitte melden Sie sich zuerst an.',
    ru: 'Сначала войдите.',
  },
  'session-unknown': {
    nl: 'Deze sessie is al beëindigd.',
    de: 'Diese Sitzung ist schon beendet.',
    ru: 'Этот сеанс уже завершён.',
  },
  'settings-invalid': {
    nl: 'De instellingen zijn zo niet te gebruiken.',
    de: 'Die Einstellungen sind so nicht brauchbar.',
    ru: 'С такими настройками работать нельзя.',
  },
  'sign-out-refused': {
    nl: 'Het bericht over het uitloggen is niet aangenomen. Log ook hier uit.',
    de: 'Die Nachricht über die Abmeldung wurde nicht angenommen. Bitte melden Sie sich auch hier ab.',
    ru: 'Сообщение о выходе не принято. Выйдите, пожалуйста, и здесь.',
  },
  'state-conflict': {
    nl: 'Iemand anders heeft dit intussen gewijzigd. Kijk het opnieuw na.',
    de: 'Jemand anderes hat das inzwischen geändert. Bitte sehen Sie noch einmal nach.',
    ru: 'За это время кто-то другой внёс изменения. Посмотрите ещё раз.',
  },
  'storage-unavailable': {
    nl: 'Er ging iets mis aan onze kant. Probeer het zo meteen opnieuw.',
    de: 'Bei uns ist etwas schiefgegangen. Bitte versuchen Sie es gleich noch einmal.',
    ru: 'У нас произошла ошибка. Попробуйте ещё раз чуть позже.',
  },
  'sync-doubtful': {
    nl: 'De directory heeft misschien niet alles verteld, daarom is daardoor niemand uitgeschakeld.',
    de: 'Das Verzeichnis hat vielleicht nicht alles gesagt, deshalb wurde dadurch niemand abgeschaltet.',
    ru: 'Каталог, возможно, сообщил не всё, поэтому никто из-за этого не был отключён.',
  },
  'sync-running': {
    nl: 'Deze directory wordt al gelezen.',
    de: 'Dieses Verzeichnis wird bereits gelesen.',
    ru: 'Этот каталог уже читается.',
  },
  'sync-stopped': {
    nl: 'Het lezen van de directory is gestopt; de volgende keer gaat het daar verder.',
    de: 'Das Lesen des Verzeichnisses wurde angehalten; beim nächsten Mal geht es dort weiter.',
    ru: 'Чтение каталога остановлено; в следующий раз оно продолжится с этого места.',
  },
  'sync-unsupported': {
    nl: 'Een directory van deze soort kan niet helemaal worden gelezen.',
    de: 'Ein Verzeichnis dieser Art lässt sich nicht von Anfang bis Ende lesen.',
    ru: 'Каталог этого вида нельзя прочитать целиком.',
  },
  'template-invalid': {
    nl: 'In de beschrijving van deze app in de catalogus zit een fout.',
    de: 'Die Beschreibung dieser App im Katalog enthält einen Fehler.',
    ru: 'В описании этого приложения в каталоге есть ошибка.',
  },
  'template-unknown': {
    nl: 'De catalogus kent deze app niet.',
    de: 'Diese App steht nicht im Katalog.',
    ru: 'В каталоге нет такого приложения.',
  },
  throttled: {
    nl: 'Te veel pogingen. Wacht even.',
    de: 'Zu viele Versuche. Bitte warten Sie einen Moment.',
    ru: 'Слишком много попыток. Подождите немного.',
  },
  'type-not-supported': {
    nl: 'Wat er is gestuurd, heeft een vorm die hier niet wordt begrepen.',
    de: 'Was gesendet wurde, hat eine Form, die hier nicht verstanden wird.',
    ru: 'Данные отправлены в формате, который здесь не поддерживается.',
  },
  'upstream-refused': {
    nl: 'Daar inloggen is niet gelukt. Probeer het opnieuw.',
    de: 'Die Anmeldung dort hat nicht geklappt. Bitte versuchen Sie es noch einmal.',
    ru: 'Войти там не получилось. Попробуйте ещё раз.',
  },
  'username-invalid': {
    nl: 'Een gebruikersnaam heeft letters, cijfers en . _ @ + - en geen spaties, en begint met een letter of een cijfer.',
    de: 'Ein Benutzername hat Buchstaben, Ziffern und . _ @ + - und keine Leerzeichen und beginnt mit einem Buchstaben oder einer Ziffer.',
    ru: 'В имени пользователя могут быть буквы, цифры и . _ @ + - без пробелов, первой стоит буква или цифра.',
  },
  'version-unknown': {
    nl: 'Deze versie van het beleid bestaat niet.',
    de: 'Diese Version der Richtlinien gibt es nicht.',
    ru: 'Такой версии правил нет.',
  },
})

/** In English a refusal says what core's table says: it is written once. */
export function refusalsIn(language: Language): Readonly<Record<RefusalCode, string>> {
  const codes = Object.keys(REFUSALS) as RefusalCode[]
  return Object.freeze(
    Object.fromEntries(
      codes.map((code) => [code, language === 'en' ? REFUSALS[code].say : TRANSLATED[code][language]]),
    ) as Record<RefusalCode, string>,
  )
}
