// Command load puts load on any SSH server and prints what it saw as JSON lines on stdout.
//
// It is one process beside the server: a generator written in the server's own language would be the bottleneck.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
)

type command struct {
	about string
	run   func(args []string) error
}

var commands = map[string]command{
	"login":   {"handshake and authentication, then hang up", login},
	"exec":    {"round trips of one short command", execute},
	"down":    {"bulk bytes from the server's command", down},
	"up":      {"bulk bytes into the server's command", up},
	"echo":    {"keystroke echo latency", echo},
	"idle":    {"authenticated connections that do nothing", idle},
	"greet":   {"connections that read the identification and hang up", greet},
	"hostile": {"clients that break the rules of flow control", hostile},
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]].run == nil {
		usage()
		os.Exit(2)
	}
	if err := commands[os.Args[1]].run(os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "load %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func usage() {
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintln(os.Stderr, "usage: load COMMAND [flags]   (load COMMAND -h lists the flags)")
	for _, name := range names {
		fmt.Fprintf(os.Stderr, "  %-8s %s\n", name, commands[name].about)
	}
}

// flags makes the flag set of one sub-command together with the flags that say where and how to log in.
func flags(name string) (*flag.FlagSet, *target) {
	set := flag.NewFlagSet(name, flag.ExitOnError)
	return set, newTarget(set)
}

// print writes one JSON line.
func print(result any) error {
	return json.NewEncoder(os.Stdout).Encode(result)
}
