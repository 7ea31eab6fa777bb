/** nginx with the module auth_request. Our problem document goes by a variable, as nginx passes on no body of an answer. */
import { type GatewaySnippet, unique } from '../snippet.ts'

const variable = (name: string): string => `portico_${name.toLowerCase().replaceAll('-', '_')}`

export const nginx: GatewaySnippet = {
  name: 'nginx',
  files({ id, sites, portico, upstream, headers, stripped, certificate, metadata }) {
    const names = unique(sites.map(({ name }) => name))
    const listen = unique(
      sites.map(({ port, secure }) => (secure ? `  listen ${port} ssl;` : `  listen 127.0.0.1:${port};`)),
    )
    const secure = sites.some((site) => site.secure)
    // whose it is, and whether it still holds, we look at ourselves
    const asked = secure && certificate !== undefined ? '\n  ssl_verify_client   optional_no_ca;' : ''
    const tls = secure
      ? `\n  ssl_certificate     /etc/nginx/tls/${names[0]}.crt;\n  ssl_certificate_key /etc/nginx/tls/${names[0]}.key;${asked}`
      : ''
    // also where there is none: nobody else may say it
    const shown = certificate === undefined ? '' : `\n    proxy_set_header ${certificate} $ssl_client_escaped_cert;`
    const set = headers.map(
      (name) => `    auth_request_set $${variable(name)} $upstream_http_${name.toLowerCase().replaceAll('-', '_')};`,
    )
    const given = headers.map((name) => `    proxy_set_header ${name} $${variable(name)};`)
    const told = metadata
      ? `  # what a client needs to know of this API (RFC 9728)
  location = ${metadata.path} {
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_pass http://${portico}${metadata.from};
  }

`
      : ''
    return [
      {
        format: 'nginx',
        file: `/etc/nginx/conf.d/${id}.conf`,
        text: `# ${id}: every call is put to Portico before it reaches the API
server {
${listen.join('\n')}
  server_name ${names.join(' ')};${tls}

  location / {
    auth_request /.portico/ask;
    auth_request_set $portico_problem $upstream_http_x_portico_problem;
    auth_request_set $portico_challenge $upstream_http_www_authenticate;
    error_page 401 = @portico_unauthorized;
    error_page 403 = @portico_forbidden;
${[...set, ...given, ...stripped.map((name) => `    proxy_set_header ${name} "";`)].join('\n')}
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_http_version 1.1;
    proxy_pass ${upstream};
  }

${told}  location = /.portico/ask {
    internal;
    proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
    proxy_set_header X-Original-Method $request_method;
    proxy_set_header X-Forwarded-Uri "";
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header Forwarded "";${shown}
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_pass http://${portico}/authz/api?api=${id};
  }

  # nginx itself passes the challenge of a 401 on
  location @portico_unauthorized {
    default_type application/problem+json;
    add_header Cache-Control no-store always;
    return 401 $portico_problem;
  }

  location @portico_forbidden {
    default_type application/problem+json;
    add_header Cache-Control no-store always;
    add_header WWW-Authenticate $portico_challenge always;
    return 403 $portico_problem;
  }
}
`,
      },
    ]
  },
}
