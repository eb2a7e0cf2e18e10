package main

import (
	"os"
	"slices"
	"strings"
	"syscall"

	"containerssh-agent/internal/files"
)

// scp becomes the image's own one, unless there are bounds, which only we keep.
func scp(args []string) (int, error) {
	at := slices.Index(args, "--")
	if at < 0 {
		return exitUsage, usageError("scp wants -- and the arguments of scp")
	}
	options, err := parseSftp(args[:at])
	if err != nil {
		return exitUsage, err
	}
	own := args[at+1:]
	if !options.ReadOnly && options.Root == "" {
		if path, err := findProgram("scp", os.Environ()); err == nil {
			return exitNoProgram, syscall.Exec(path, append([]string{"scp"}, own...), os.Environ())
		}
	}
	order, err := parseScp(own)
	if err != nil {
		return exitUsage, err
	}
	good, err := files.ServeScp(options, order, os.Stdin, os.Stdout)
	if !good {
		return exitFailed, err
	}
	return 0, err
}

// parseScp: what clients ask servers for, and no more. It does not copy from one place to another by itself.
func parseScp(args []string) (order files.ScpOrder, err error) {
	directions := 0
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "-" {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		for _, option := range word[1:] {
			switch option {
			case 't':
				order.Sink = true
				directions++
			case 'f':
				directions++
			case 'r':
				order.Recursive = true
			case 'p':
				order.Preserve = true
			case 'd':
				order.Folder = true
			case 'q', 'v':
			default:
				return order, usageError("scp has no option -" + string(option))
			}
		}
	}
	order.Paths = args
	if directions != 1 || len(args) == 0 {
		return order, usageError("scp wants either -t or -f, and a path")
	}
	return order, nil
}
