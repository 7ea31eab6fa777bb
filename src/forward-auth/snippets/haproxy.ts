/** HAProxy, 2.6 or newer, with Lua: it asks with its own HTTP client, and whatever is no 2xx becomes the answer. */
import { type ProxySnippet, type Site, unique } from '../snippet.ts'

const LUA_FILE = '/etc/haproxy/portico.lua'

const bind = ({ port, secure, name }: Site): string =>
  secure ? `  bind :${port} ssl crt /etc/haproxy/tls/${name}.pem` : `  bind 127.0.0.1:${port}`

export const haproxy: ProxySnippet = {
  name: 'haproxy',
  files({ app: { id }, sites, gateway, upstream, headers, stripped, query }) {
    const { protocol, host } = new URL(upstream)
    const server = /:\d+$/.test(host) ? host : `${host}:${protocol === 'https:' ? 443 : 80}`
    return [
      {
        format: 'haproxy',
        file: '/etc/haproxy/haproxy.cfg',
        text: `# ${id}: every request is put to Portico before it reaches the app
global
  # a page of Portico is an answer of one piece
  tune.bufsize 65536
  lua-load ${LUA_FILE}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
frontend ${id}
${unique(sites.map(bind)).join('\n')}
  # an app may read Remote_User as Remote-User
  option http-restrict-req-hdr-names delete
  http-request deny unless { ${sites.map(({ host: name, port }) => `req.hdr(host) -i ${name} ${name.includes(':') ? '' : `${name}:${port} `}`).join('} || { ')}}
  # a connection becomes a WebSocket or nothing else: what is asked on it later is put to nobody
  http-request del-header Upgrade unless { req.hdr_cnt(upgrade) eq 1 } { req.hdr(upgrade) -i websocket }
${[...headers, ...stripped].map((name) => `  http-request del-header ${name}`).join('\n')}
  http-request lua.portico
  default_backend ${id}
backend ${id}
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  option forwardfor
  server app ${server}${protocol === 'https:' ? ' ssl verify required ca-file @system-ca' : ''}
`,
      },
      { format: 'lua', file: LUA_FILE, text: lua(`${gateway}/authz/forward${query}`, headers) },
    ]
  },
}

const lua = (address: string, headers: readonly string[]): string => `local address = "http://${address}"
local told = { ${headers.map((name) => `"${name.toLowerCase()}"`).join(', ')} }
-- about this connection and this body, or said below
local left_out = {
  ["host"] = true, ["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["expect"] = true,
  ["te"] = true, ["keep-alive"] = true, ["upgrade"] = true, ["forwarded"] = true,
}

local function list(values)
  local all = {}
  local i = 0
  while values and values[i] do
    all[#all + 1] = values[i]
    i = i + 1
  end
  return all
end

core.register_action("portico", { "http-req" }, function(txn)
  local sent = txn.http:req_get_headers()
  local asked = {}
  for name, values in pairs(sent) do
    if not left_out[name] and not name:find("^x%-forwarded%-") then asked[name] = list(values) end
  end
  asked["x-forwarded-method"] = { txn.sf:method() }
  asked["x-forwarded-proto"] = { txn.f:ssl_fc() and txn.sf:ssl_fc() == "1" and "https" or "http" }
  asked["x-forwarded-host"] = list(sent["host"])
  asked["x-forwarded-uri"] = { txn.sf:pathq() }
  local before = list(sent["x-forwarded-for"])
  before[#before + 1] = txn.sf:src()
  asked["x-forwarded-for"] = { table.concat(before, ", ") }

  local answer = core.httpclient():get({ url = address, headers = asked, timeout = 5000 })
  local status = answer and tonumber(answer.status) or 0
  if status >= 200 and status < 300 then
    for _, name in ipairs(told) do
      txn.http:req_del_header(name)
      local values = answer.headers and answer.headers[name]
      if values then txn.http:req_set_header(name, values[0] or values[1] or "") end
    end
    return
  end
  if status < 300 then
    txn:done(txn:reply({ status = 503, headers = { ["cache-control"] = { "no-store" } } }))
    return
  end
  local headers = {}
  for name, values in pairs(answer.headers or {}) do
    if not left_out[name] then headers[name] = list(values) end
  end
  txn:done(txn:reply({ status = status, headers = headers, body = answer.body }))
end)
`
