package main

import (
	"errors"
	"flag"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// target is the server under load and the way to log in to it. The host key is never checked.
type target struct {
	address  string
	user     string
	password string
	keyFile  string
	kex      string
	hostKey  string
	cipher   string
	mac      string
	timeout  time.Duration

	once   sync.Once
	config *ssh.ClientConfig
	err    error
}

func newTarget(set *flag.FlagSet) *target {
	t := &target{}
	set.StringVar(&t.address, "address", "127.0.0.1:22", "host:port of the server")
	set.StringVar(&t.user, "user", "bench", "login name")
	set.StringVar(&t.password, "password", "", "log in with this password")
	set.StringVar(&t.keyFile, "key", "", "log in with the private key in this file")
	set.StringVar(&t.kex, "kex", "", "key exchanges, comma separated (default: the library's)")
	set.StringVar(&t.hostKey, "hostkey", "", "host key algorithms, comma separated")
	set.StringVar(&t.cipher, "cipher", "", "ciphers, comma separated")
	set.StringVar(&t.mac, "mac", "", "MACs, comma separated")
	set.DurationVar(&t.timeout, "timeout", 30*time.Second, "limit for connecting and logging in")
	return t
}

func list(names string) []string {
	if names == "" {
		return nil
	}
	return strings.Split(names, ",")
}

// signer reads the private key; nil when none was given.
func (t *target) signer() (ssh.Signer, error) {
	if t.keyFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(t.keyFile)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(text)
}

func (t *target) clientConfig() (*ssh.ClientConfig, error) {
	t.once.Do(func() {
		config := &ssh.ClientConfig{
			User:              t.user,
			HostKeyCallback:   ssh.InsecureIgnoreHostKey(),
			HostKeyAlgorithms: list(t.hostKey),
			Config:            ssh.Config{KeyExchanges: list(t.kex), Ciphers: list(t.cipher), MACs: list(t.mac)},
		}
		signer, err := t.signer()
		if err != nil {
			t.err = err
			return
		}
		if signer != nil {
			config.Auth = append(config.Auth, ssh.PublicKeys(signer))
		}
		if t.password != "" {
			config.Auth = append(config.Auth, ssh.Password(t.password))
		}
		if len(config.Auth) == 0 {
			t.err = errors.New("neither -password nor -key was given")
		}
		t.config = config
	})
	return t.config, t.err
}

// dial connects and logs in; the time limit covers both.
func (t *target) dial() (*ssh.Client, error) {
	config, err := t.clientConfig()
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp", t.address, t.timeout)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(t.timeout)); err != nil {
		return nil, err
	}
	client, channels, requests, err := ssh.NewClientConn(conn, t.address, config)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return ssh.NewClient(client, channels, requests), nil
}

// dialMany opens `count` connections, `parallel` at a time.
func (t *target) dialMany(count, parallel int) ([]*ssh.Client, error) {
	clients := make([]*ssh.Client, count)
	err := workers(count, parallel, func(i int) error {
		client, err := t.dial()
		clients[i] = client
		return err
	})
	return clients, err
}
