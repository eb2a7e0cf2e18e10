package main

import (
	"io"
	"os"
	"time"
)

type idleReady struct {
	Ready   int     `json:"ready"`
	Seconds float64 `json:"seconds"`
}
type idleResult struct {
	// Connections that were still alive when we were told to end.
	Alive int `json:"alive"`
}

// idle opens connections with one session channel each, says so, and holds them until stdin ends.
func idle(args []string) error {
	set, target := flags("idle")
	count := set.Int("count", 100, "connections")
	parallel := set.Int("parallel", 16, "logins at a time")
	command := set.String("command", "", "program to run in each channel; empty: none")
	if err := set.Parse(args); err != nil {
		return err
	}
	begin := time.Now()
	clients, err := target.dialMany(*count, *parallel)
	if err != nil {
		return err
	}
	err = workers(*count, *parallel, func(i int) error {
		if *command != "" {
			_, err := start(clients[i], *command)
			return err
		}
		_, err := clients[i].NewSession()
		return err
	})
	if err != nil {
		return err
	}
	if err := print(idleReady{*count, time.Since(begin).Seconds()}); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	var result idleResult
	for _, client := range clients {
		if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
			result.Alive++
		}
		client.Close()
	}
	return print(result)
}
