/** Apigee: four policies for the PreFlow of the request, in this order. */
import type { GatewaySnippet } from '../snippet.ts'

/** What the question needs of the call, besides its method, host and path: joined where it came several times. */
const ASKED = [
  ...['Authorization', 'Content-Type', 'DPoP', 'Upgrade'],
  ...['X-HTTP-Method', 'X-HTTP-Method-Override', 'X-Method-Override', 'X-Original-URL', 'X-Rewrite-URL'],
]

const indented = (lines: readonly string[]): string => lines.map((line) => `      ${line}`).join('\n')

export const apigee: GatewaySnippet = {
  name: 'apigee',
  files({ id, portico, headers, stripped }) {
    const file = (name: string, text: string) => ({ format: 'apigee', file: `apiproxy/policies/${name}.xml`, text })
    return [
      file(
        'Portico-Question',
        `<!-- ${id}: every call is put to Portico before it reaches the API. Steps of the request's PreFlow: Portico-Question, Portico-Ask,
     Portico-Refuse with the condition (portico.answer.status.code != 200), Portico-Tell -->
<AssignMessage name="Portico-Question">
  <AssignTo createNew="true" type="request">portico.question</AssignTo>
  <Set>
    <Verb>GET</Verb>
    <Headers>
      <Header name="X-Forwarded-Method">{request.verb}</Header>
      <Header name="X-Forwarded-Proto">{client.scheme}</Header>
      <Header name="X-Forwarded-Host">{request.header.host}</Header>
      <Header name="X-Forwarded-Uri">{request.uri}</Header>
      <Header name="X-Forwarded-For">{client.ip}</Header>
${indented(ASKED.map((name) => `<Header name="${name}">{request.header.${name.toLowerCase()}.values.string}</Header>`))}
    </Headers>
  </Set>
  <IgnoreUnresolvedVariables>true</IgnoreUnresolvedVariables>
</AssignMessage>
`,
      ),
      file(
        'Portico-Ask',
        `<!-- the address is the one under which Apigee reaches Portico; its own has to stand in \`proxies\` of Portico's settings -->
<ServiceCallout name="Portico-Ask" continueOnError="false">
  <Request variable="portico.question" clearPayload="true"/>
  <Response>portico.answer</Response>
  <Timeout>5000</Timeout>
  <HTTPTargetConnection>
    <Properties><Property name="success.codes">2xx,4xx,5xx</Property></Properties>
    <URL>http://${portico}/authz/api?api=${id}</URL>
  </HTTPTargetConnection>
</ServiceCallout>
`,
      ),
      file(
        'Portico-Refuse',
        `<RaiseFault name="Portico-Refuse">
  <FaultResponse>
    <Set>
      <Headers>
        <Header name="WWW-Authenticate">{portico.answer.header.www-authenticate}</Header>
        <Header name="Cache-Control">no-store</Header>
      </Headers>
      <Payload contentType="application/problem+json">{portico.answer.content}</Payload>
      <StatusCode>{portico.answer.status.code}</StatusCode>
    </Set>
  </FaultResponse>
  <IgnoreUnresolvedVariables>true</IgnoreUnresolvedVariables>
</RaiseFault>
`,
      ),
      file(
        'Portico-Tell',
        `<AssignMessage name="Portico-Tell">
  <AssignTo createNew="false" type="request">request</AssignTo>
  <Remove>
    <Headers>
${indented([...headers, ...stripped].map((name) => `<Header name="${name}"/>`))}
    </Headers>
  </Remove>
  <Set>
    <Headers>
${indented(headers.map((name) => `<Header name="${name}">{portico.answer.header.${name.toLowerCase()}}</Header>`))}
    </Headers>
  </Set>
  <IgnoreUnresolvedVariables>true</IgnoreUnresolvedVariables>
</AssignMessage>
`,
      ),
    ]
  },
}
