package forward

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"containerssh-agent/internal/cbor"
)

const dataBytes = 32 << 10

// For what was received before the end; a peer that does not read must not keep us for ever.
const lastBytes = 10 * time.Second

// A connection between a socket of this container and the server.
type connection struct {
	id   uint64
	link *link
	// Ends a dial that nobody waits for any more.
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	change sync.Cond
	// Of a listener, until the server has said whether it wants it.
	waiting net.Conn
	socket  net.Conn
	// To the socket.
	queue  [][]byte
	queued int
	ended  bool
	// To the server: bytes that it takes.
	credit int64
	// The server closed it, or the socket broke.
	closed bool
	// CLOSE was sent, or must not be.
	told     bool
	halfOver bool
}

func newConnection(l *link, id uint64) *connection {
	made := &connection{id: id, link: l, credit: l.theirWindow}
	made.ctx, made.cancel = context.WithCancel(context.Background())
	made.change.L = &made.mu
	return made
}

// start: from now on bytes flow. False: it was closed in the meantime, and the socket is, too.
func (c *connection) start(socket net.Conn, ready func()) bool {
	c.mu.Lock()
	if c.closed || c.socket != nil {
		c.mu.Unlock()
		socket.Close()
		return false
	}
	c.socket = socket
	c.mu.Unlock()
	ready()
	go c.toServer(socket)
	go c.toSocket(socket)
	return true
}

// data takes bytes for the socket. Without a window it waits until there is room, and with it everything else. False:
// more than the window.
func (c *connection) data(bytes []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.link.extended && c.queued >= ourWindow && !c.closed {
		c.change.Wait()
	}
	if c.closed || c.ended {
		return true
	}
	c.queue = append(c.queue, bytes)
	c.queued += len(bytes)
	c.change.Broadcast()
	return !c.link.extended || c.queued <= ourWindow
}

// finish: the server sends nothing more.
func (c *connection) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.change.Broadcast()
}

func (c *connection) grant(bytes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.credit = min(c.credit+int64(bytes), 1<<40)
	c.change.Broadcast()
}

// close: the server wants no more of it. What it sent before is still delivered.
func (c *connection) close() {
	c.mu.Lock()
	c.told = true
	c.closed = true
	c.ended = true
	socket, waiting := c.socket, c.waiting
	c.waiting = nil
	c.change.Broadcast()
	c.mu.Unlock()
	c.cancel()
	if waiting != nil {
		waiting.Close()
	}
	if socket == nil {
		c.link.remove(c.id)
		return
	}
	socket.SetReadDeadline(time.Unix(1, 0))
	socket.SetWriteDeadline(time.Now().Add(lastBytes))
}

// reset ends both directions, and tells the server once.
func (c *connection) reset() {
	c.mu.Lock()
	tell := !c.told
	c.told = true
	c.closed = true
	c.ended = true
	c.queue, c.queued = nil, 0
	c.change.Broadcast()
	c.mu.Unlock()
	c.socket.Close()
	if tell {
		c.link.send(kindClose, c.id, nil)
	}
}

// half: one of the two directions is over.
func (c *connection) half() {
	c.mu.Lock()
	last := c.halfOver
	c.halfOver = true
	c.mu.Unlock()
	if last {
		c.socket.Close()
		c.cancel()
		c.link.remove(c.id)
	}
}

func (c *connection) toServer(socket net.Conn) {
	defer c.half()
	room := make([]byte, headRoom+dataBytes)
	for {
		most := c.awaitCredit()
		if most == 0 {
			return
		}
		length, err := socket.Read(room[headRoom : headRoom+most])
		if length > 0 {
			c.take(length)
			c.sendData(room, length)
		}
		switch {
		case err == nil:
		case err == io.EOF && c.link.extended:
			c.link.send(kindEnd, c.id, nil)
			return
		case c.isClosed():
			return
		default:
			c.reset()
			return
		}
	}
}

func (c *connection) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// sendData puts the head right before the payload, so that a packet is one write and no copy.
func (c *connection) sendData(room []byte, length int) {
	var head [headRoom]byte
	written := appendHead(head[:0], kindData, c.id, length)
	at := headRoom - len(written)
	copy(room[at:], written)
	c.link.write(room[at : headRoom+length])
}

// awaitCredit gives the bytes that may be read; 0: the connection is closed.
func (c *connection) awaitCredit() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.link.extended && c.credit <= 0 && !c.closed {
		c.change.Wait()
	}
	if c.closed {
		return 0
	}
	if !c.link.extended {
		return dataBytes
	}
	return int(min(c.credit, dataBytes))
}

func (c *connection) take(length int) {
	c.mu.Lock()
	c.credit -= int64(length)
	c.mu.Unlock()
}

// toSocket tells the server what the socket has taken, in large pieces.
func (c *connection) toSocket(socket net.Conn) {
	defer c.half()
	taken := 0
	for {
		bytes, more := c.next()
		if !more {
			if closer, ok := socket.(interface{ CloseWrite() error }); ok {
				closer.CloseWrite()
			}
			return
		}
		if _, err := socket.Write(bytes); err != nil {
			c.reset()
			return
		}
		taken += len(bytes)
		if c.passed(len(bytes)) && taken >= ourWindow/4 {
			c.link.send(kindWindow, c.id, cbor.AppendUint(nil, uint64(taken)))
			taken = 0
		}
	}
}

// next waits for bytes. False: there are none, and there will be none.
func (c *connection) next() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == 0 && !c.ended {
		c.change.Wait()
	}
	if len(c.queue) == 0 {
		return nil, false
	}
	first := c.queue[0]
	c.queue = c.queue[1:]
	return first, true
}

// passed makes room for others. True: the server waits for the news.
func (c *connection) passed(length int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queued -= length
	c.change.Broadcast()
	return c.link.extended && !c.ended
}
