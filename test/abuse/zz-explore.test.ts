import { test } from 'vitest'
import { startGateway } from '/work/main/test/support/gateway.ts'
import { POLICIES } from '/work/main/test/support/policies.ts'
import { sendRaw } from '/work/main/test/support/raw.ts'
test('x', async () => {
  const CB='http://localhost:9/callback'
  const g = await startGateway({ policies: POLICIES, people:[{username:'sam',name:'Sam',groups:['staff']}] as never, apps: [{ id: 'web', name: 'w', policy: 'plain', audience: ['*'], oidc: { redirect_uris: [CB], scopes: ['openid','offline_access'], grant_types: ['authorization_code','refresh_token','urn:ietf:params:oauth:grant-type:device_code'] } }] as never })
  const port = g.server.port
  const show = async (r: any) => { const a = await sendRaw(port, r); console.log(r.method??'GET', r.path, a.status, JSON.stringify(a.headers), a.body.replace(/<style[\s\S]*<\/style>/, '').slice(0,700)) }
  await show({path:'/oauth2/session/end'})
  await show({path:'/oauth2/token',method:'OPTIONS',headers:{origin:'https://evil.example','access-control-request-method':'POST'}})
  await show({path:'/oauth2/jwks',headers:{origin:'https://evil.example'}})
  await show({path:'/oauth2/userinfo',headers:{origin:'https://evil.example',authorization:'Bearer x'}})
  await show({path:'/oauth2/auth?client_id=web'})
  await show({path:'/oauth2/nothing'})
  await show({path:'/oauth2/token',method:'PUT'})
  await show({path:'/oauth2/device',method:'POST',headers:{'content-type':'application/x-www-form-urlencoded'},body:'a=b'})
  await show({path:'/oauth2/device/auth'})
  await show({path:'/oauth2/auth/aaaaaaaaaaaaaaaaaaaaaa'})
  await show({path:'/oauth2/device/aaaaaaaaaaaaaaaaaaaaaa'})
  await show({path:'/oauth2/auth/__proto__'})
  console.log(g.log())
  await g.close()
}, 300000)
