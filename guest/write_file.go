package main

import (
	"io"
	"os"
)

const private = 0o600

func writeFile(args []string) (int, error) {
	if len(args) != 1 {
		return exitUsage, usageError("write-file wants one path")
	}
	file, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_TRUNC, private)
	if err != nil {
		return exitFailed, err
	}
	defer file.Close()
	// Before the content, which may be a secret: the file may have been there with another mode.
	if err := file.Chmod(private); err != nil {
		return exitFailed, err
	}
	if _, err := io.Copy(file, os.Stdin); err != nil {
		return exitFailed, err
	}
	return 0, file.Close()
}
