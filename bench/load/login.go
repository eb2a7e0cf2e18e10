package main

import (
	"errors"
	"time"
)

type loginResult struct {
	Logins    int     `json:"logins"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	// From connect() to the reply to a first global request.
	LatencyUs latency `json:"latencyUs"`
	// CPU time of this generator.
	CPUSeconds float64 `json:"cpuSeconds"`
}

func login(args []string) error {
	set, target := flags("login")
	count := set.Int("count", 100, "logins")
	parallel := set.Int("parallel", 8, "logins at a time")
	if err := set.Parse(args); err != nil {
		return err
	}
	times := make([]time.Duration, *count)
	begin := time.Now()
	err := workers(*count, *parallel, func(i int) error {
		start := time.Now()
		client, err := target.dial()
		if err != nil {
			return err
		}
		// A reply shows that the server is ready for a channel: some servers fork once more after USERAUTH_SUCCESS.
		_, _, err = client.SendRequest("keepalive@openssh.com", true, nil)
		times[i] = time.Since(start)
		return errors.Join(err, client.Close())
	})
	if err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds()
	return print(loginResult{*count, seconds, float64(*count) / seconds, latencies(times), cpuSeconds()})
}
