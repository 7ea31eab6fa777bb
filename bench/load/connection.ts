/**
 * The smallest HTTP/1.1 keep-alive client that can load a server from one core: one socket per virtual user, one request
 * in flight per socket.
 */
import net from 'node:net'

export interface Reply {
  readonly status: number
  /** Status line and headers. */
  readonly raw: string
  readonly body: string
}

interface Head {
  readonly raw: string
  readonly status: number
  /** -1: not told. */
  readonly length: number
  readonly chunked: boolean
  readonly close: boolean
}

interface Pending {
  resolve(reply: Reply): void
  reject(error: Error): void
}

export type Headers = Readonly<Record<string, string>>

export class Connection {
  readonly #place: { host: string; port: number }
  #socket: net.Socket | undefined
  #buffer = ''
  #ended = false
  #head: Head | undefined
  #pending: Pending | undefined

  constructor(place: { host: string; port: number }) {
    this.#place = place
  }

  get open(): boolean {
    return this.#socket !== undefined
  }

  request(method: string, url: URL, headers: Headers = {}, body = ''): Promise<Reply> {
    if (!this.#socket) this.#connect()
    let head = `${method} ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n`
    for (const name in headers) head += `${name}: ${headers[name]}\r\n`
    if (body || method === 'POST') head += `content-length: ${Buffer.byteLength(body)}\r\n`
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject }
      this.#socket!.write(`${head}\r\n${body}`)
    })
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  #connect(): void {
    const socket = net.connect(this.#place)
    socket.setNoDelay(true)
    // one character is one byte, so that content-length can be compared with the length of the text
    socket.setEncoding('latin1')
    socket.on('data', (text) => {
      this.#buffer += text
      this.#parse()
    })
    const fail = (error?: Error) => {
      if (this.#socket === socket) this.#socket = undefined
      this.#pending?.reject(error ?? new Error('connection closed'))
      this.#done()
    }
    socket.on('error', fail)
    socket.on('close', () => fail())
    socket.on('end', () => {
      this.#ended = true
      this.#parse()
    })
    this.#ended = false
    this.#buffer = ''
    this.#socket = socket
  }

  #done(): void {
    this.#pending = undefined
    this.#head = undefined
  }

  #parse(): void {
    if (!this.#pending) return
    if (!this.#head) {
      const end = this.#buffer.indexOf('\r\n\r\n')
      if (end < 0) return
      this.#head = readHead(this.#buffer.slice(0, end))
      this.#buffer = this.#buffer.slice(end + 4)
    }
    const head = this.#head
    const body = this.#takeBody(head)
    if (body === undefined) return
    const { resolve } = this.#pending
    this.#done()
    if (head.close) this.close()
    resolve({ status: head.status, raw: head.raw, body })
  }

  /** Undefined: not all of it has come. */
  #takeBody({ length, chunked, close }: Head): string | undefined {
    if (length >= 0) {
      if (this.#buffer.length < length) return undefined
      const body = this.#buffer.slice(0, length)
      this.#buffer = this.#buffer.slice(length)
      return body
    }
    if (chunked) return this.#takeChunks()
    if (!close && !this.#ended) return ''
    if (!this.#ended) return undefined
    const body = this.#buffer
    this.#buffer = ''
    return body
  }

  #takeChunks(): string | undefined {
    let body = ''
    for (let at = 0; ; ) {
      const end = this.#buffer.indexOf('\r\n', at)
      if (end < 0) return undefined
      const size = Number.parseInt(this.#buffer.slice(at, end), 16)
      if (this.#buffer.length < end + size + 4) return undefined
      at = end + size + 4
      if (size === 0) {
        this.#buffer = this.#buffer.slice(at)
        return body
      }
      body += this.#buffer.slice(end + 2, end + 2 + size)
    }
  }
}

function readHead(raw: string): Head {
  const status = Number(raw.slice(9, 12))
  const told = /\r\ncontent-length: *(\d+)/i.exec(raw)
  return {
    raw,
    status,
    length: status === 204 || status === 304 ? 0 : told ? Number(told[1]) : -1,
    chunked: !told && /\r\ntransfer-encoding: *chunked/i.test(raw),
    close: /\r\nconnection: *close/i.test(raw),
  }
}

export const headerOf = (raw: string, name: string): string | undefined =>
  new RegExp(`\\r\\n${name}: *([^\\r]*)`, 'i').exec(raw)?.[1]
