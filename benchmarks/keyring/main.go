// Command keyring puts one entry into an encrypted keyring of files, as granted and aws-vault keep their sessions.
//
// Usage: keyring FOLDER PASSWORD KEY, with the entry's bytes on stdin.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/99designs/keyring"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 3 {
		return fmt.Errorf("usage: keyring FOLDER PASSWORD KEY")
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	ring, err := keyring.Open(keyring.Config{
		AllowedBackends:  []keyring.BackendType{keyring.FileBackend},
		FileDir:          arguments[0],
		FilePasswordFunc: keyring.FixedStringPrompt(arguments[1]),
	})
	if err != nil {
		return err
	}
	return ring.Set(keyring.Item{Key: arguments[2], Data: data})
}
