/**
 * Pages: what people see. Languages, the frame around every page, and the views as pure functions from data to HTML.
 *
 * - `views.ts`     what each view is given, and what it returns (`View`): the contract
 * - `views/…`      the views: `proof` who are you, `federation` other providers, `enrolment` add a way, `question` yes or no, `outcome` the ends,
 *                  `opening` into an app by a form, `account` launcher and account, `confirming` an app asks on another screen,
 *                  `device` setting up one of the organisation's
 * - `frame.ts`     `document()`: a view as an answer, with its headers (`headers.ts`), stylesheet and scripts (`assets.ts`)
 * - `languages/…`  one table per language; `words.ts` makes sentences of them; `browser-name.ts` a User-Agent in two words
 * - `presenter.ts` a view for a request: its language, its cookie; what the rooms above use
 * - `parts.ts`     forms, fields, the problem box    - `markup.ts` escaping    - `browser/…` runs in the browser
 *
 * Nothing here decides, stores or reads a request: `document({ ...passwordView(data, messages), lang, nonce, … })`.
 */
export { browserName } from './browser-name.ts'
export { type DocumentOptions, document, type Nav } from './frame.ts'
export { contentSecurityPolicy } from './headers.ts'
export type { Messages } from './languages/en.ts'
export { chooseLanguage, isLanguage, LANGUAGE_NAMES, LANGUAGES, type Language } from './languages/language.ts'
export { html, type Markup, safeHref } from './markup.ts'
export { createPresenter, type PageOptions, type Presenter } from './presenter.ts'
export { accountView, launcherView } from './views/account.ts'
export { askedFragment, confirmView } from './views/confirming.ts'
export type { AnsweredNotice, AskedData, ConfirmData } from './views/confirming-data.ts'
export { deviceEnrolledView, enrolDeviceView } from './views/device.ts'
export {
  changePasswordView,
  claimView,
  enrolChoiceView,
  enrolPasskeyView,
  enrolTotpView,
  newPasswordView,
  recoveryCodesView,
} from './views/enrolment.ts'
export { awayView, backView, connectView, newcomerView } from './views/federation.ts'
export { openingView } from './views/opening.ts'
export { errorView, expiredView, refusedView, waitingView, whyView } from './views/outcome.ts'
export { choiceView, identifierView, passkeyView, passwordView, recoveryCodeView, totpView } from './views/proof.ts'
export {
  consentView,
  deviceCodeView,
  deviceConfirmView,
  deviceDoneView,
  handOverView,
  signedOutView,
  signOutView,
} from './views/question.ts'
export type {
  AccountConsent,
  AccountData,
  AccountDevice,
  AccountFactor,
  AccountSession,
  Answers,
  ChangePasswordData,
  ChoiceData,
  ClaimData,
  ConsentData,
  DeviceCodeData,
  DeviceConfirmData,
  DeviceDoneData,
  DeviceEnrolledData,
  EnrolChoiceData,
  EnrolDeviceData,
  EnrolPasskeyData,
  EnrolTotpData,
  ErrorData,
  ExpiredData,
  FactorKind,
  Form,
  HandOverData,
  IdentifierData,
  LauncherApp,
  LauncherData,
  Link,
  NewcomerData,
  NewPasswordData,
  Notice,
  OpeningData,
  PasskeyData,
  PasswordData,
  RecoveryCodeData,
  RecoveryCodesData,
  RefusedData,
  Remember,
  SignedOutData,
  SignOutData,
  Step,
  TotpData,
  UntoldApp,
  View,
  WaitingData,
  Who,
  WhyData,
} from './views.ts'
export {
  conditionName,
  type DetailWords,
  fill,
  type HelpCode,
  helpSentence,
  helpSentences,
  inSeconds,
  lengthOfTime,
  messagesFor,
  type ReasonCode,
  reasonSentence,
  refusalSentence,
  type ScopeWords,
  scopeName,
  strengthName,
  type Values,
} from './words.ts'
