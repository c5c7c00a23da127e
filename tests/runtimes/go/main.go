// A function with the official library of Go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Name  string `json:"name"`
	Fail  string `json:"fail"`
	Panic string `json:"panic"`
}

type answer struct {
	Message string `json:"message"`
	Request string `json:"request"`
	Arn     string `json:"arn"`
	Handler string `json:"handler"`
}

func handle(ctx context.Context, asked event) (answer, error) {
	if asked.Panic != "" {
		panic(asked.Panic)
	}
	if asked.Fail != "" {
		return answer{}, errors.New(asked.Fail)
	}
	known, _ := lambdacontext.FromContext(ctx)
	fmt.Printf("greeting %s\n", asked.Name)
	return answer{
		Message: "hello, " + asked.Name,
		Request: known.AwsRequestID,
		Arn:     known.InvokedFunctionArn,
		Handler: os.Getenv("_HANDLER"),
	}, nil
}

func main() {
	lambda.Start(handle)
}
