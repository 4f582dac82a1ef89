// A program with the AWS SDK for Go such as anybody might write. It prints an account id for each call.
//
//	identity PROFILE COUNT   so many calls, each with the configuration loaded anew; a failure ends it
//	identity PROFILE         one client for as long as it runs: a call for each line on stdin; failures are printed
//	identity --version
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func newClient(ctx context.Context, profile string) (*sts.Client, error) {
	loaded, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(profile))
	if err != nil {
		return nil, err
	}
	return sts.NewFromConfig(loaded), nil
}

func account(ctx context.Context, client *sts.Client) (string, error) {
	identity, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(identity.Account), nil
}

func eachAnew(ctx context.Context, profile string, count int) {
	for call := 0; call < count; call++ {
		client, err := newClient(ctx, profile)
		if err != nil {
			log.Fatal(err)
		}
		id, err := account(ctx, client)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(id)
	}
}

func allByOne(ctx context.Context, profile string) {
	client, err := newClient(ctx, profile)
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if id, err := account(ctx, client); err != nil {
			fmt.Printf("%q\n", err.Error())
		} else {
			fmt.Println(id)
		}
	}
}

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	switch {
	case len(os.Args) == 2 && os.Args[1] == "--version":
		fmt.Println(aws.SDKVersion)
	case len(os.Args) == 2:
		allByOne(ctx, os.Args[1])
	case len(os.Args) == 3:
		count, err := strconv.Atoi(os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		eachAnew(ctx, os.Args[1], count)
	default:
		log.Fatal("usage: identity PROFILE [COUNT]")
	}
}
