// Greets whoever the event names.
package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func handle(ctx context.Context, event struct{ Name string }) (map[string]string, error) {
	known, _ := lambdacontext.FromContext(ctx)
	fmt.Println("greeting", event.Name)
	return map[string]string{"message": "hello, " + event.Name, "request": known.AwsRequestID}, nil
}

func main() {
	lambda.Start(handle)
}
