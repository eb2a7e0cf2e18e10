package main

import (
	"time"

	"golang.org/x/crypto/ssh"
)

type execResult struct {
	Commands int `json:"commands"`
	// Latency: one channel (open, exec, exit status, close); with -reconnect, connect and login too.
	sampled
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
	measured, err := sample(*count, *parallel, func() (time.Duration, error) {
		start := time.Now()
		if *reconnect {
			err := onceOver(target, *command)
			return time.Since(start), err
		}
		client := <-idle
		err := runOn(client, *command)
		idle <- client
		return time.Since(start), err
	})
	if err != nil {
		return err
	}
	return print(execResult{*count, measured})
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
