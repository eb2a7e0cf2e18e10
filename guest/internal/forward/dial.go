package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Shorter than what servers wait for.
const dialTimeout = 25 * time.Second

// dial connects with what NEW_CONNECTION names.
func (l *link) dial(got packet) error {
	wanted, err := readPlace(got.payload)
	if err != nil {
		return fmt.Errorf("the payload of a new connection: %w", err)
	}
	if got.id == 0 {
		return errors.New("a new connection has the number 0")
	}
	made := l.add(got.id)
	if made == nil {
		l.log("warning", fmt.Sprintf("connection %d is not possible", got.id))
		if l.extended {
			l.reply(kindError, got.id)
		}
		return nil
	}
	go made.dial(wanted)
	return nil
}

func (c *connection) dial(wanted place) {
	ctx, cancel := context.WithTimeout(c.ctx, dialTimeout)
	defer cancel()
	socket, err := dialPlace(ctx, wanted)
	if err != nil {
		c.link.remove(c.id)
		if !c.isClosed() {
			c.link.fail(c.id, errors.New(reasonOf(err)))
		}
		return
	}
	c.start(socket, func() { c.link.send(kindSuccess, c.id, nil) })
}

func dialPlace(ctx context.Context, wanted place) (net.Conn, error) {
	var dialer net.Dialer
	switch wanted.protocol {
	case "tcp":
		return dialer.DialContext(ctx, "tcp", hostPort(wanted.address, wanted.port))
	case "unix":
		return dialer.DialContext(ctx, "unix", wanted.address)
	}
	return nil, fmt.Errorf("there is no protocol %q", wanted.protocol)
}

// hostPort takes IPv6 addresses in brackets, too: old servers leave them to the sender.
func hostPort(host string, port uint64) string {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return net.JoinHostPort(host, strconv.FormatUint(port, 10))
}

// reasonOf leaves out what the server knows: which address it was.
func reasonOf(err error) string {
	var number syscall.Errno
	var name *net.DNSError
	switch {
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &name):
		return name.Err
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	}
	return err.Error()
}
