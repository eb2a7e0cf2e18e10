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
	options, err := parseInit(args)
	if err != nil {
		return exitUsage, err
	}
	if err := options.makeRoom(); err != nil {
		return exitFailed, err
	}
	if err := sandbox.Serve(controlDescriptor, listenDescriptor, options.limits, findProgram); err != nil {
		return exitFailed, err
	}
	return 0, nil
}

type initOptions struct {
	limits []sandbox.Limit
	room   sandbox.Room
	// filter is a descriptor; 0: whoever started this process has done all that needs rights.
	filter int
}

func (o initOptions) makeRoom() error {
	if o.filter == 0 {
		return nil
	}
	if err := o.room.Make(); err != nil {
		return err
	}
	return sandbox.GiveUpRights(o.filter)
}

func parseInit(args []string) (initOptions, error) {
	var options initOptions
	for at := 0; at < len(args); at += 2 {
		if args[at] == "--" {
			options.room.Words = args[at+1:]
			break
		}
		if args[at] == "--loopback" {
			options.room.Loopback = true
			at--
			continue
		}
		if at+1 >= len(args) {
			return options, usageError(args[at] + " wants a value")
		}
		var err error
		switch value := args[at+1]; args[at] {
		case "--limit":
			var limit sandbox.Limit
			limit, err = parseLimit(args, at+1)
			options.limits = append(options.limits, limit)
		case "--hostname":
			options.room.Hostname = value
		case "--filter":
			if options.filter, err = strconv.Atoi(value); err != nil || options.filter <= listenDescriptor {
				err = usageError("--filter wants a descriptor, not " + value)
			}
		default:
			err = usageError("sandbox-init has no option " + args[at])
		}
		if err != nil {
			return options, err
		}
	}
	return options, nil
}

// The names of setrlimit(2), in small letters. NPROC is missing in package syscall.
var resources = map[string]int{
	"core":   syscall.RLIMIT_CORE,
	"cpu":    syscall.RLIMIT_CPU,
	"data":   syscall.RLIMIT_DATA,
	"nofile": syscall.RLIMIT_NOFILE,
	"nproc":  6,
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
