/** `node src/main.ts` is the entrance too, a tenth of a second slower than `npx portico` or `node src/portico.js`. */
import './portico.js'
