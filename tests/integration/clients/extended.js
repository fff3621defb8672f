// Node's http2: WebSockets in streams of one connection (RFC 8441).
//
//     node extended.js PROXY AUTHORITY [USER:PASSWORD] HOST:PORT...
//
// Sends each origin a message and writes what it sends back, a line each; then closes as
// RFC 6455 section 7 wants it.

const { randomBytes } = require("crypto");
const { readFileSync } = require("fs");
const http2 = require("http2");

const [proxy, authority, user, ...origins] = process.argv.slice(2);
const credentials = user ? { "proxy-authorization": `Basic ${Buffer.from(user).toString("base64")}` } : {};
const TEXT = 1;
const CLOSE = 8;

// RFC 6455 section 5.2, for what has less than 126 octets.
function frame(opcode, payload) {
  const mask = randomBytes(4);
  const masked = Buffer.from(payload.map((octet, i) => octet ^ mask[i % 4]));
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length]), mask, masked]);
}

function exchange(session, origin) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":authority": origin,
      ":path": "/",
      "sec-websocket-version": "13",
      ...credentials,
    });
    let came = Buffer.alloc(0);
    stream.on("error", reject);
    stream.on("response", (fields) => {
      if (fields[":status"] !== 200) reject(new Error(`${fields[":status"]}: ${fields["proxy-status"]}`));
      stream.write(frame(TEXT, Buffer.from("a message")));
    });
    stream.on("data", (octets) => {
      came = Buffer.concat([came, octets]);
      if (came.length < 2 || came.length < 2 + came[1]) return;
      const [opcode, payload] = [came[0] & 0x0f, came.subarray(2, 2 + came[1])];
      came = came.subarray(2 + came[1]);
      if (opcode === TEXT) {
        console.log(payload.toString());
        stream.write(frame(CLOSE, Buffer.from([0x03, 0xe8])));
      } else if (opcode === CLOSE) {
        stream.end();
        resolve();
      }
    });
  });
}

const session = http2.connect(proxy, { ca: readFileSync(authority) });
session.once("remoteSettings", async (settings) => {
  if (!settings.enableConnectProtocol) throw new Error("the proxy does not offer it");
  await Promise.all(origins.map((origin) => exchange(session, origin)));
  session.close();
});
