package sandbox

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// children knows how each program ended. The first process inherits those whose parents have ended, and takes note of
// their ends as well, or they would stay as zombies.
type children struct {
	mutex   sync.Mutex
	waiting map[int]chan syscall.WaitStatus
}

func newChildren() *children {
	c := &children{waiting: map[int]chan syscall.WaitStatus{}}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			c.reap()
		}
	}()
	return c
}

// start gives the process number and a channel with the end. No end goes by between fork and the note of it.
func (c *children) start(path string, words []string, attributes *syscall.ProcAttr) (int, <-chan syscall.WaitStatus, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	pid, err := syscall.ForkExec(path, words, attributes)
	if err != nil {
		return 0, nil, err
	}
	end := make(chan syscall.WaitStatus, 1)
	c.waiting[pid] = end
	return pid, end, nil
}

// reap takes all that have ended: one SIGCHLD may stand for several.
func (c *children) reap() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 {
			return
		}
		if end, ours := c.waiting[pid]; ours {
			delete(c.waiting, pid)
			end <- status
		}
	}
}
