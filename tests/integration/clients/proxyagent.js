// undici's ProxyAgent: makes a tunnel for whatever it fetches.
//
//     node proxyagent.js PROXY AUTHORITY [USER:PASSWORD|"Bearer TOKEN"] URL...
//
// Gets each URL and sends a body there, and writes the answers one after the other.

const { readFileSync } = require("fs");
const { ProxyAgent, request } = require("undici");

const [proxy, authority, user, ...urls] = process.argv.slice(2);
const ca = readFileSync(authority);

async function main() {
  const agent = new ProxyAgent({
    uri: proxy,
    token: user.startsWith("Bearer ") ? user : user ? `Basic ${Buffer.from(user).toString("base64")}` : undefined,
    proxyTls: { ca },
    requestTls: { ca },
  });
  for (const url of urls) {
    for (const body of [null, "a body to be sent back"]) {
      const answer = await request(url, { dispatcher: agent, method: body ? "POST" : "GET", body });
      if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.statusCode}`);
      process.stdout.write(await answer.body.text());
    }
  }
  await agent.close();
}

main();
