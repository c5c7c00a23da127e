// A walk through a function's life with the SDK as it comes from the registry. Arguments: runtime, name, package, other package.
// The endpoint and the credentials are in the environment, where the SDK looks for them itself.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  CreateAliasCommand,
  CreateFunctionCommand,
  DeleteAliasCommand,
  DeleteFunctionCommand,
  GetAliasCommand,
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  LambdaServiceException,
  PreconditionFailedException,
  PublishVersionCommand,
  ResourceConflictException,
  ResourceNotFoundException,
  UpdateAliasCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  paginateListAliases,
  paginateListFunctions,
  paginateListVersionsByFunction,
  waitUntilFunctionActiveV2,
  waitUntilFunctionExists,
  waitUntilFunctionUpdatedV2,
  waitUntilPublishedVersionActive,
} from "@aws-sdk/client-lambda";

const [Runtime, FunctionName, first, second] = process.argv.slice(2);
const client = new LambdaClient({});
const waiting = { client, maxWaitTime: 60, minDelay: 0.1, maxDelay: 0.5 };
const one = await readFile(first);
const two = await readFile(second);

const invoke = async (input) => {
  const answer = await client.send(new InvokeCommand({ FunctionName, ...input }));
  return { ...answer, value: JSON.parse(answer.Payload.transformToString()) };
};
const collected = async (pages, member) => {
  const found = [];
  for await (const page of pages) {
    assert.ok(page[member].length <= 1, "a page is longer than was asked for");
    found.push(...page[member]);
  }
  return found;
};
const refused = async (command, type, status) => {
  const error = await client.send(command).then(() => assert.fail("accepted"), (error) => error);
  assert.ok(error instanceof type && error instanceof LambdaServiceException, String(error));
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
  assert.ok(error.message.length > 0 && error.message !== "UnknownError", error.message);
  return error;
};

await refused(new GetFunctionCommand({ FunctionName }), ResourceNotFoundException, 404);

const made = await client.send(
  new CreateFunctionCommand({
    FunctionName,
    Role: "arn:aws:iam::000000000000:role/lambda",
    Runtime,
    Handler: "versioned.handler",
    Code: { ZipFile: one },
    Environment: { Variables: { SETTING: "node" } },
    Tags: { team: "blue" },
    Timeout: 20,
  }),
);
assert.equal(made.State, "Pending");
assert.equal(made.CodeSha256, createHash("sha256").update(one).digest("base64"));
await waitUntilFunctionExists(waiting, { FunctionName });
await waitUntilFunctionActiveV2(waiting, { FunctionName });
await refused(
  new CreateFunctionCommand({
    FunctionName,
    Role: made.Role,
    Runtime: made.Runtime,
    Handler: made.Handler,
    Code: { ZipFile: one },
  }),
  ResourceConflictException,
  409,
);

const found = await client.send(new GetFunctionCommand({ FunctionName }));
assert.deepEqual(found.Tags, { team: "blue" });
const code = Buffer.from(await (await fetch(found.Code.Location)).arrayBuffer());
assert.ok(code.equals(one), "the code behind Code.Location is not what was uploaded");

const answer = await invoke({ Payload: JSON.stringify({ n: 1 }), LogType: "Tail" });
assert.equal(answer.StatusCode, 200);
assert.equal(answer.FunctionError, undefined);
assert.deepEqual(answer.value, { word: "one", version: "$LATEST", setting: "node" });
assert.match(Buffer.from(answer.LogResult, "base64").toString(), /REPORT RequestId: /);

assert.equal((await client.send(new PublishVersionCommand({ FunctionName }))).Version, "1");
await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: two }));
await waitUntilFunctionUpdatedV2(waiting, { FunctionName });
await client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Description: "changed" }));
await waitUntilFunctionUpdatedV2(waiting, { FunctionName });
assert.equal((await client.send(new PublishVersionCommand({ FunctionName }))).Version, "2");
await waitUntilPublishedVersionActive(waiting, { FunctionName, Qualifier: "2" });

const alias = { FunctionName, Name: "live" };
const live = await client.send(new CreateAliasCommand({ ...alias, FunctionVersion: "1" }));
assert.equal((await invoke({ Qualifier: "live" })).value.word, "one");
await client.send(
  new UpdateAliasCommand({ ...alias, RoutingConfig: { AdditionalVersionWeights: { 2: 1 } } }),
);
assert.equal((await invoke({ Qualifier: "live" })).ExecutedVersion, "2");
await refused(
  new UpdateAliasCommand({ ...alias, FunctionVersion: "2", RevisionId: live.RevisionId }),
  PreconditionFailedException,
  412,
);

const paging = { client, pageSize: 1 };
const versions = await collected(paginateListVersionsByFunction(paging, { FunctionName }), "Versions");
assert.deepEqual(versions.map((version) => version.Version), ["$LATEST", "1", "2"]);
const aliases = await collected(paginateListAliases(paging, { FunctionName }), "Aliases");
assert.deepEqual(aliases.map((each) => each.Name), ["live"]);
const functions = await collected(paginateListFunctions(paging, {}), "Functions");
assert.ok(functions.some((each) => each.FunctionName === FunctionName));

await client.send(new DeleteAliasCommand(alias));
await refused(new GetAliasCommand(alias), ResourceNotFoundException, 404);
await client.send(new DeleteFunctionCommand({ FunctionName }));
await refused(new InvokeCommand({ FunctionName }), ResourceNotFoundException, 404);
client.destroy();
console.log(JSON.stringify({ walked: FunctionName }));
