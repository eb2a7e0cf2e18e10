package main

import (
	"os"

	"containerssh-agent/internal/files"
)

func sftpServer(args []string) (int, error) {
	options, err := parseSftp(args)
	if err != nil {
		return exitUsage, err
	}
	if err := files.Serve(options, os.Stdin, os.Stdout); err != nil {
		return exitFailed, err
	}
	return 0, nil
}

func parseSftp(args []string) (options files.Options, err error) {
	for at := 0; at < len(args); at++ {
		switch args[at] {
		case "--read-only":
			options.ReadOnly = true
		case "--root":
			at++
			if at >= len(args) || args[at] == "" {
				return options, usageError("--root wants a folder")
			}
			options.Root = args[at]
		default:
			return options, usageError("sftp-server has no option " + args[at])
		}
	}
	return options, nil
}
