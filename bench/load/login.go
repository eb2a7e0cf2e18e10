package main

import (
	"errors"
	"time"
)

type loginResult struct {
	Logins int `json:"logins"`
	// Latency: from connect() to the reply to a first global request.
	sampled
}

func login(args []string) error {
	set, target := flags("login")
	count := set.Int("count", 100, "logins")
	parallel := set.Int("parallel", 8, "logins at a time")
	if err := set.Parse(args); err != nil {
		return err
	}
	measured, err := sample(*count, *parallel, func() (time.Duration, error) {
		start := time.Now()
		client, err := target.dial()
		if err != nil {
			return 0, err
		}
		// A reply shows that the server is ready for a channel: some servers fork once more after USERAUTH_SUCCESS.
		_, _, err = client.SendRequest("keepalive@openssh.com", true, nil)
		took := time.Since(start)
		return took, errors.Join(err, client.Close())
	})
	if err != nil {
		return err
	}
	return print(loginResult{*count, measured})
}
