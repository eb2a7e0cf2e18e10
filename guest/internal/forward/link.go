package forward

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Of each connection, towards the socket: what may be under way or wait.
const ourWindow = 128 << 10

// Connections of one link. Each has two goroutines and a buffer of 32 KiB.
const mostConnections = 4096

// A link is the conversation with the server.
type link struct {
	extended bool
	// What the server takes of each connection before it says more.
	theirWindow int64
	opened      *opened
	stderr      io.Writer

	sending sync.Mutex
	stdout  io.Writer

	state  sync.Mutex
	open   map[uint64]*connection
	lastID uint64
	noMore bool
	// Closed when nothing is left to do.
	over chan struct{}
	once sync.Once
}

func newLink(stdout, stderr io.Writer) *link {
	return &link{stdout: stdout, stderr: stderr, open: map[uint64]*connection{}, over: make(chan struct{})}
}

func (l *link) send(kind kind, id uint64, payload []byte) {
	l.write(append(appendHead(make([]byte, 0, headRoom+len(payload)), kind, id, len(payload)), payload...))
}

// write takes a whole packet. When the server does not read any more, there is nothing left to do.
func (l *link) write(bytes []byte) {
	l.sending.Lock()
	_, err := l.stdout.Write(bytes)
	l.sending.Unlock()
	if err != nil {
		l.end()
	}
}

// reply never waits: the one who reads what the server sends must not depend on its reading.
func (l *link) reply(kind kind, id uint64) { go l.send(kind, id, nil) }

// fail says why, to those who understand it.
func (l *link) fail(id uint64, err error) {
	var reason []byte
	if l.extended {
		reason = []byte(short(err.Error()))
	}
	l.send(kindError, id, reason)
}

const mostReason = 1024

func short(text string) string { return text[:min(len(text), mostReason)] }

func (l *link) end() { l.once.Do(func() { close(l.over) }) }

func (l *link) find(id uint64) *connection {
	l.state.Lock()
	defer l.state.Unlock()
	return l.open[id]
}

// add makes a connection that waits for its start. An id of 0 is replaced by the next one. Nil: there cannot be one more.
func (l *link) add(id uint64) *connection {
	l.state.Lock()
	defer l.state.Unlock()
	if id == 0 {
		id = l.lastID + 1
	}
	if l.noMore || id <= l.lastID || len(l.open) >= mostConnections {
		return nil
	}
	l.lastID = id
	made := newConnection(l, id)
	l.open[id] = made
	return made
}

func (l *link) remove(id uint64) {
	l.state.Lock()
	defer l.state.Unlock()
	delete(l.open, id)
	if l.noMore && len(l.open) == 0 {
		l.end()
	}
}

func (l *link) acceptNoMore() {
	l.state.Lock()
	defer l.state.Unlock()
	l.noMore = true
	if len(l.open) == 0 {
		l.end()
	}
}

func (l *link) log(level, message string) {
	line, _ := json.Marshal(map[string]string{
		"timestamp": time.Now().UTC().Format(time.RFC3339), "level": level, "message": short(message),
	})
	l.stderr.Write(append(line, '\n'))
}
