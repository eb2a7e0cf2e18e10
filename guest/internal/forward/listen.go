package forward

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// opened is what SETUP asked for: for a dialling link nothing, otherwise a place that is listened at.
type opened struct {
	listeners []net.Listener
	port      uint64
	path      string
	// Told with each connection, in old servers' terms.
	bound  place
	single bool
	// A folder of our own, to be removed.
	folder string
	once   sync.Once
}

func (o *opened) close() {
	o.once.Do(func() {
		for _, listener := range o.listeners {
			listener.Close()
		}
		if o.folder != "" {
			os.RemoveAll(o.folder)
		}
	})
}

func (l *link) prepare(wanted setup) (*opened, error) {
	switch wanted.connectionType {
	case typeDial, typeDialSocket:
		return &opened{}, nil
	case typeX11:
		return openDisplay(wanted, l.extended)
	case typeListen, typeListenSocket:
	default:
		l.end()
		return &opened{}, nil
	}
	var made *opened
	var err error
	if wanted.protocol == "unix" {
		made, err = listenUnix(wanted.host)
	} else {
		made, err = listenTCP(wanted.host, wanted.port)
	}
	if err != nil {
		return nil, errors.New(reasonOf(err))
	}
	made.single = wanted.single
	made.bound = place{protocol: wanted.protocol, address: wanted.host, port: made.port}
	if made.bound.protocol == "" {
		made.bound.protocol = "tcp"
	}
	return made, nil
}

// listenTCP takes hosts as RFC 4254 section 7.1 has them; `localhost` are both loopback addresses, as in sshd.
func listenTCP(host string, port uint64) (*opened, error) {
	if host != "localhost" {
		first, err := net.Listen("tcp", hostPort(host, port))
		if err != nil {
			return nil, err
		}
		return openedAt(first), nil
	}
	first, err := net.Listen("tcp4", hostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	made := openedAt(first)
	// Many containers have no IPv6, and the port may be somebody else's there.
	if second, err := net.Listen("tcp6", hostPort("::1", made.port)); err == nil {
		made.listeners = append(made.listeners, second)
	}
	return made, nil
}

func openedAt(listener net.Listener) *opened {
	made := &opened{listeners: []net.Listener{listener}}
	if address, ok := listener.Addr().(*net.TCPAddr); ok {
		made.port = uint64(address.Port)
	}
	return made
}

// listenUnix without a path makes one that nobody can guess.
func listenUnix(path string) (*opened, error) {
	folder := ""
	if path == "" {
		var err error
		if folder, err = ownFolder(); err != nil {
			return nil, err
		}
		path = filepath.Join(folder, "agent."+strconv.Itoa(os.Getpid()))
	}
	// As with sshd: for its owner alone (sshd_config(5), StreamLocalBindMask).
	before := syscall.Umask(0o177)
	listener, err := net.Listen("unix", path)
	syscall.Umask(before)
	if err != nil {
		if folder != "" {
			os.RemoveAll(folder)
		}
		return nil, err
	}
	made := openedAt(listener)
	made.path, made.folder = path, folder
	return made, nil
}

// ownFolder: images without any system have no /tmp.
func ownFolder() (string, error) {
	var first error
	for _, parent := range []string{os.TempDir(), "/tmp", "/var/tmp", "/run", "/dev/shm"} {
		folder, err := os.MkdirTemp(parent, "containerssh-")
		if err == nil {
			return folder, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", fmt.Errorf("there is no place for a socket: %w", first)
}

func (o *opened) accept(l *link) {
	for _, listener := range o.listeners {
		go o.acceptFrom(l, listener)
	}
}

func (o *opened) acceptFrom(l *link, listener net.Listener) {
	defer listener.Close()
	for {
		socket, err := listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.log("error", err.Error())
			}
			return
		}
		made := l.add(0)
		if made == nil {
			socket.Close()
			continue
		}
		made.announce(o.arrival(socket), socket)
		if o.single {
			l.acceptNoMore()
			return
		}
	}
}

func (o *opened) arrival(socket net.Conn) place {
	arrived := o.bound
	if peer, ok := socket.RemoteAddr().(*net.TCPAddr); ok {
		arrived.origin, arrived.originPort = peer.IP.String(), uint64(peer.Port)
	}
	return arrived
}

// announce: the socket waits for the server's word.
func (c *connection) announce(arrived place, socket net.Conn) {
	c.mu.Lock()
	c.waiting = socket
	c.mu.Unlock()
	c.link.send(kindNew, c.id, arrived.encode())
}

// accepted: the server takes it.
func (c *connection) accepted() {
	c.mu.Lock()
	socket := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	if socket != nil {
		c.start(socket, func() {})
	}
}

// refused: the server does not.
func (c *connection) refused() {
	c.mu.Lock()
	socket := c.waiting
	c.waiting = nil
	c.closed = c.closed || socket != nil
	c.mu.Unlock()
	if socket != nil {
		socket.Close()
		c.link.remove(c.id)
	}
}
