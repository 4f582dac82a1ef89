// A program with the AWS SDK for JavaScript such as anybody might write. It prints an account id for each call.
//
//   identity.mjs [--from-ini] PROFILE COUNT
//       so many calls, each by a new client; a failure ends it as Node.js shows one
//   identity.mjs [--from-ini] PROFILE
//       one client for as long as it runs: a call for each line on stdin; failures are printed
//   identity.mjs --version
//
// Credentials come from the client's own chain of providers, or with --from-ini from the provider of that name.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { fromIni } from "@aws-sdk/credential-providers";

const given = process.argv.slice(2);
const own = given[0] !== "--from-ini";
const [profile, count] = own ? given : given.slice(1);

function newClient() {
  return new STSClient(own ? { profile } : { profile, credentials: fromIni({ profile }) });
}

async function account(client) {
  return (await client.send(new GetCallerIdentityCommand({}))).Account;
}

if (profile === "--version") {
  console.log(createRequire(import.meta.url)("@aws-sdk/client-sts/package.json").version);
} else if (count !== undefined) {
  for (let call = 0; call < Number(count); call += 1) {
    console.log(await account(newClient()));
  }
} else {
  const client = newClient();
  for await (const _ of createInterface({ input: process.stdin })) {
    try {
      console.log(await account(client));
    } catch (error) {
      console.log(JSON.stringify(String(error)));
    }
  }
}
