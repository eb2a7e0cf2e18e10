package main

import (
	"strconv"
	"strings"
	"syscall"

	"containerssh-agent/internal/sandbox"
)

// The descriptors that the server leaves open for the first process of a sandbox.
const (
	controlDescriptor = 3
	listenDescriptor  = 4
)

// sandboxInit is the first process of a sandbox: it starts programs for the server until that is gone.
func sandboxInit(args []string) (int, error) {
	limits, err := parseLimits(args)
	if err != nil {
		return exitUsage, err
	}
	if err := sandbox.Serve(controlDescriptor, listenDescriptor, limits, findProgram); err != nil {
		return exitFailed, err
	}
	return 0, nil
}

// The names of setrlimit(2), in small letters. NPROC is missing in package syscall.
var resources = map[string]int{
	"core":   syscall.RLIMIT_CORE,
	"cpu":    syscall.RLIMIT_CPU,
	"data":   syscall.RLIMIT_DATA,
	"nofile": syscall.RLIMIT_NOFILE,
	"nproc":  6,
}

func parseLimits(args []string) ([]sandbox.Limit, error) {
	var limits []sandbox.Limit
	for at := 0; at < len(args); at += 2 {
		if args[at] != "--limit" {
			return nil, usageError("sandbox-init has no option " + args[at])
		}
		limit, err := parseLimit(args, at+1)
		if err != nil {
			return nil, err
		}
		limits = append(limits, limit)
	}
	return limits, nil
}

func parseLimit(args []string, at int) (sandbox.Limit, error) {
	if at >= len(args) {
		return sandbox.Limit{}, usageError("--limit wants NAME=NUMBER")
	}
	name, value, _ := strings.Cut(args[at], "=")
	resource, known := resources[name]
	number, err := strconv.ParseUint(value, 10, 63)
	if !known || err != nil {
		return sandbox.Limit{}, usageError("--limit wants NAME=NUMBER, not " + args[at])
	}
	return sandbox.Limit{Resource: resource, Value: number}, nil
}
