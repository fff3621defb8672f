// Node's http and https: requests for http URLs, as a proxy wants them.
//
//     node forward.js PROXY AUTHORITY [USER:PASSWORD] URL...
//
// Gets each URL and sends a body there in chunks, all on one connection, and writes the
// answers one after the other.

const { readFileSync } = require("fs");

const [proxy, authority, user, ...urls] = process.argv.slice(2);
const { protocol, hostname, port } = new URL(proxy);
const client = require(protocol.slice(0, -1));
const agent = new client.Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(authority) });
const headers = user ? { "Proxy-Authorization": `Basic ${Buffer.from(user).toString("base64")}` } : {};

function exchange(url, pieces) {
  return new Promise((resolve, reject) => {
    const method = pieces.length ? "POST" : "GET";
    const settings = { agent, hostname, port, method, path: url };
    const request = client.request({ ...settings, headers: { ...headers, Host: new URL(url).host } });
    request.on("error", reject);
    request.on("response", (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${url}: ${answer.statusCode}`));
      answer.on("data", (octets) => process.stdout.write(octets));
      answer.on("end", resolve);
    });
    for (const piece of pieces) request.write(piece);
    request.end();
  });
}

async function main() {
  for (const url of urls) {
    await exchange(url, []);
    await exchange(url, ["a body ", "to be ", "sent back"]);
  }
  agent.destroy();
}

main();
