/** nginx with the module auth_request. What it cannot pass on (redirects, cookies) goes by variables and a location of ours. */
import { type ProxySnippet, type Site, unique } from '../snippet.ts'

const ASK = `proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header Forwarded "";
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_redirect off;
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;`

const listen = (sites: readonly Site[]): string =>
  unique(sites.map(({ port, secure }) => (secure ? `  listen ${port} ssl;` : `  listen 127.0.0.1:${port};`))).join('\n')

export const nginx: ProxySnippet = {
  name: 'nginx',
  files({ app, sites, gateway, upstream, headers, stripped, query }) {
    const variable = (name: string) => `$portico_${name.toLowerCase().replaceAll('-', '_')}`
    const set = headers.map(
      (name) => `    auth_request_set ${variable(name)} $upstream_http_${name.toLowerCase().replaceAll('-', '_')};`,
    )
    const given = headers.map((name) => `    proxy_set_header ${name} ${variable(name)};`)
    const names = unique(sites.map(({ name }) => name))
    const tls = sites.some(({ secure }) => secure)
      ? `\n  ssl_certificate     /etc/nginx/tls/${names[0]}.crt;\n  ssl_certificate_key /etc/nginx/tls/${names[0]}.key;`
      : ''
    return [
      {
        format: 'nginx',
        file: `/etc/nginx/conf.d/${app.id}.conf`,
        text: `# ${app.id}: every request is put to Portico before it reaches the app
# a connection becomes a WebSocket or nothing else: what is asked on it later is put to nobody
map $http_upgrade $portico_upgrade {
  default       '';
  ~*^websocket$ websocket;
}
map $portico_upgrade $portico_connection {
  default upgrade;
  ''      '';
}
server {
${listen(sites)}
  server_name ${names.join(' ')};${tls}

  location / {
    auth_request /.portico/ask;
    auth_request_set $portico_location $upstream_http_x_portico_location;
    auth_request_set $portico_cookie $upstream_http_set_cookie;
    auth_request_set $portico_challenge $upstream_http_www_authenticate;
    error_page 401 = @portico_sign_in;
    error_page 403 = @portico_refused;
${set.join('\n')}
${[...given, ...stripped.map((name) => `    proxy_set_header ${name} "";`)].join('\n')}
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $portico_upgrade;
    proxy_set_header Connection $portico_connection;
    proxy_pass ${upstream};
  }

  location = /.portico/ask {
    internal;
    proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
    proxy_set_header X-Original-Method $request_method;
    ${ASK}
    proxy_pass http://${gateway}/authz/nginx${query};
  }

  # where the browser comes back with a code: the answer is Portico's own
  location /.portico/ {
    proxy_set_header X-Forwarded-Method $request_method;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Uri $request_uri;
    ${ASK}
    rewrite ^ /authz/forward${query}? break;
    proxy_pass http://${gateway};
  }

  location @portico_sign_in {
    add_header Cache-Control no-store always;
    add_header Set-Cookie $portico_cookie always;
    add_header Referrer-Policy no-referrer always;
    if ($portico_location) {
      return 302 $portico_location;
    }
    add_header WWW-Authenticate $portico_challenge always;
    return 401;
  }

  location @portico_refused {
    add_header Cache-Control no-store always;
    if ($portico_location) {
      return 302 $portico_location;
    }
    return 403;
  }
}
`,
      },
    ]
  },
}
