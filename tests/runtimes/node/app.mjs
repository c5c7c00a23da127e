/** Runs under the official runtime client. */
export const handler = async (event, context) => {
  if (event.fail) {
    throw new RangeError(event.fail);
  }
  console.log('seen by the official client');
  return { event, request: context.awsRequestId, arn: context.invokedFunctionArn, remaining: context.getRemainingTimeInMillis() };
};

/** Streams what the event says. */
export const stream = awslambda.streamifyResponse(async (event, output) => {
  for (let number = 0; number < event.pieces; number += 1) {
    output.write(`piece ${number}\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  output.end();
});
