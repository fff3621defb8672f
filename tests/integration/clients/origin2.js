// An origin that speaks HTTP/2 and nothing else, within TLS.
//
//     node origin2.js CHAIN KEY BODY
//
// Writes its port, and serves until its standard input ends.

const { readFileSync } = require("fs");
const http2 = require("http2");

const [chain, key, body] = process.argv.slice(2);
const server = http2.createSecureServer({ cert: readFileSync(chain), key: readFileSync(key) });
server.on("stream", (stream) => {
  stream.respond({ ":status": 200 });
  stream.end(body);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
