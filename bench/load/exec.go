package main

import (
	"time"

	"golang.org/x/crypto/ssh"
)

type execResult struct {
	Commands  int     `json:"commands"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	// One channel: open, exec, exit status, close. With -reconnect: connect and login too.
	LatencyUs latency `json:"latencyUs"`
	// CPU time of this generator.
	CPUSeconds float64 `json:"cpuSeconds"`
}

func execute(args []string) error {
	set, target := flags("exec")
	count := set.Int("count", 100, "commands")
	parallel := set.Int("parallel", 1, "connections, each with one command at a time")
	reconnect := set.Bool("reconnect", false, "a new connection for each command")
	command := set.String("command", "true", "command; it must end with status 0")
	if err := set.Parse(args); err != nil {
		return err
	}
	idle := make(chan *ssh.Client, *parallel)
	if !*reconnect {
		clients, err := target.dialMany(*parallel, *parallel)
		if err != nil {
			return err
		}
		for _, client := range clients {
			defer client.Close()
			idle <- client
		}
	}
	times := make([]time.Duration, *count)
	begin := time.Now()
	err := workers(*count, *parallel, func(i int) error {
		start := time.Now()
		var err error
		if *reconnect {
			err = onceOver(target, *command)
		} else {
			client := <-idle
			err = runOn(client, *command)
			idle <- client
		}
		times[i] = time.Since(start)
		return err
	})
	if err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds()
	return print(execResult{*count, seconds, float64(*count) / seconds, latencies(times), cpuSeconds()})
}

func onceOver(target *target, command string) error {
	client, err := target.dial()
	if err != nil {
		return err
	}
	defer client.Close()
	return runOn(client, command)
}

func runOn(client *ssh.Client, command string) error {
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Run(command)
}
