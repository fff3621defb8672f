// Node's http2: tunnels and requests as streams of one connection to a proxy.
//
//     node streams.js PROXY AUTHORITY [USER:PASSWORD] URL...
//
// Gets all URLs at once: https in tunnels (CONNECT), http by requests that are forwarded.
// Writes what came as JSON, in the order of the URLs.

const { readFileSync } = require("fs");
const http2 = require("http2");
const https = require("https");
const tls = require("tls");

const [proxy, authority, user, ...urls] = process.argv.slice(2);
const ca = readFileSync(authority);
const credentials = user ? { "proxy-authorization": `Basic ${Buffer.from(user).toString("base64")}` } : {};

function answered(stream) {
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("response", (fields) => {
      if (fields[":status"] === 200) resolve();
      else reject(new Error(`${fields[":status"]}: ${fields["proxy-status"]}`));
    });
  });
}

function text(stream) {
  return new Promise((resolve, reject) => {
    let all = "";
    stream.setEncoding("utf8");
    stream.on("data", (piece) => (all += piece));
    stream.on("end", () => resolve(all));
    stream.on("error", reject);
  });
}

async function forward(session, url) {
  const fields = { ":scheme": "http", ":authority": url.host, ":path": url.pathname, ...credentials };
  const stream = session.request(fields);
  await answered(stream);
  return text(stream);
}

async function tunnel(session, url) {
  const stream = session.request({ ":method": "CONNECT", ":authority": url.host, ...credentials });
  await answered(stream);
  const socket = tls.connect({ socket: stream, ca, servername: url.hostname });
  return new Promise((resolve, reject) => {
    const request = https.get(url, { createConnection: () => socket }, (answer) => resolve(text(answer)));
    request.on("error", reject);
  });
}

async function main() {
  const session = http2.connect(proxy, { ca });
  const fetches = urls.map((each) => new URL(each));
  const came = await Promise.all(
    fetches.map((url) => (url.protocol === "https:" ? tunnel : forward)(session, url)),
  );
  process.stdout.write(JSON.stringify(came));
  session.close();
}

main();
