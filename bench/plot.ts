/** The flows as bars beside their yardstick, as SVG: readable in light and dark, and without anything from elsewhere. */
import type { Comparison } from './throughput.ts'

const [ROW, BAR, LEFT, WIDTH, RIGHT] = [34, 14, 320, 420, 150]

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/** Operations per second of CPU, each flow on a scale of its own: what is compared are the two bars of a flow. */
export function plot(compared: readonly Comparison[]): string {
  const height = compared.length * ROW + 60
  const rows = compared.map(({ title, yardstick, bare, portico, ratio, target }, at) => {
    const y = 40 + at * ROW
    const most = Math.max(bare.perCpuSecond, portico.perCpuSecond)
    const wide = (value: number) => ((value / most) * WIDTH).toFixed(1)
    const wanted = target === undefined ? '' : ` (≥ ${target})`
    return [
      `<text x="${LEFT - 10}" y="${y + BAR}" text-anchor="end">${escaped(title)}</text>`,
      `<rect class="bare" x="${LEFT}" y="${y}" width="${wide(bare.perCpuSecond)}" height="${BAR - 2}"><title>${escaped(yardstick)}: ${bare.perCpuSecond}</title></rect>`,
      `<rect class="ours" x="${LEFT}" y="${y + BAR - 2}" width="${wide(portico.perCpuSecond)}" height="${BAR - 2}"><title>Portico: ${portico.perCpuSecond}</title></rect>`,
      `<text x="${LEFT + WIDTH + 10}" y="${y + BAR}">${portico.perCpuSecond.toFixed(0)} · ${ratio.toFixed(2)} ×${wanted}</text>`,
    ].join('\n')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + RIGHT} ${height}" font-family="system-ui, sans-serif" font-size="13">
<style>text { fill: #1b1f24 } .bare { fill: #9aa4b1 } .ours { fill: #2563ab } @media (prefers-color-scheme: dark) { text { fill: #e6e9ed } .ours { fill: #6ea8e8 } }</style>
<text x="${LEFT}" y="24">operations per second of CPU: grey the yardstick, blue Portico</text>
${rows.join('\n')}
</svg>
`
}
