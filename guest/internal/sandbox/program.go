package sandbox

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How a shell tells that a program cannot be started.
const (
	statusNotFound      = 127
	statusNotExecutable = 126
	// patience between a polite signal and the end.
	patience = 2 * time.Second
)

type program struct {
	id   string
	wire *wire

	mutex    sync.Mutex
	pid      int
	terminal *os.File
}

// run comes back when the program has ended and the server has closed the connection.
func (p *program) run(order start, children *children, find Find) {
	streams, err := openStreams(order)
	if err != nil {
		p.refuse(order, err)
		return
	}
	pid, end, err := p.launch(order, streams, children, find)
	streams.closeTheirs()
	if err != nil {
		streams.closeOurs()
		p.refuse(order, err)
		return
	}
	p.wire.tell(newsKind, "started\n")
	var outputs sync.WaitGroup
	for kind, from := range streams.outputs {
		outputs.Add(1)
		go func() {
			defer outputs.Done()
			p.wire.carry(kind, from)
		}()
	}
	input := make(chan struct{})
	go func() {
		defer close(input)
		p.feed(streams)
	}()
	status := <-end
	p.forget(pid)
	p.wire.tell(newsKind, newsOf(status))
	outputs.Wait()
	_ = p.wire.connection.CloseWrite()
	// Bytes that are left unread would reach the server as an error.
	<-input
}

func (p *program) launch(order start, streams *streams, children *children, find Find) (int, <-chan syscall.WaitStatus, error) {
	path, err := find(order.words[0], order.env)
	if err != nil {
		return 0, nil, err
	}
	attributes := &syscall.ProcAttr{Dir: folderOf(order.folder), Env: order.env, Files: streams.theirs}
	// Its group has its number, and is what signals go to; a terminal is that of its session.
	attributes.Sys = &syscall.SysProcAttr{Setsid: true, Setctty: order.tty}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	pid, end, err := children.start(path, order.words, attributes)
	if err != nil {
		return 0, nil, err
	}
	p.pid, p.terminal = pid, streams.terminal
	preferForOutOfMemory(pid)
	return pid, end, nil
}

// preferForOutOfMemory: when memory runs out, the kernel is to end programs, not this process, and with it all of them
// (proc_pid_oom_score_adj(5)). Of a program that has ended already there is nothing to be preferred.
func preferForOutOfMemory(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("500"), 0)
}

func folderOf(wanted string) string {
	if info, err := os.Stat(wanted); err != nil || !info.IsDir() {
		return "/"
	}
	return wanted
}

func (p *program) refuse(order start, err error) {
	status := statusNotFound
	if err == syscall.EACCES || err == os.ErrPermission {
		status = statusNotExecutable
	}
	kind, end := byte(errorKind), "\n"
	if order.tty {
		kind, end = outputKind, "\r\n"
	}
	p.wire.tell(newsKind, "started\n")
	p.wire.tell(kind, order.words[0]+": "+err.Error()+end)
	p.wire.tell(newsKind, fmt.Sprintf("status %d\n", status))
	_ = p.wire.connection.CloseWrite()
	_, _ = io.Copy(io.Discard, p.wire.connection)
}

// feed hands on what the server sends, to its end. A program that does not read any more gets nothing more.
func (p *program) feed(streams *streams) {
	_, err := io.Copy(streams.input, p.wire.connection)
	// The end of the input is none for a terminal, which goes on to show output.
	if streams.terminal == nil {
		streams.input.Close()
	}
	if err != nil {
		_, _ = io.Copy(io.Discard, p.wire.connection)
	}
}

func (p *program) forget(pid int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	// What the program left behind on its terminal goes with it, as it does when a terminal is closed.
	if p.terminal != nil {
		_ = syscall.Kill(-pid, syscall.SIGHUP)
	}
	p.pid, p.terminal = 0, nil
}

// signal goes to the whole group, as from sshd: a pipeline ends together.
func (p *program) signal(number syscall.Signal) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.pid == 0 {
		return false
	}
	return syscall.Kill(-p.pid, number) == nil
}

// end is polite first. The group may outlive its leader.
func (p *program) end(polite syscall.Signal) {
	p.mutex.Lock()
	group := p.pid
	p.mutex.Unlock()
	if group == 0 || syscall.Kill(-group, polite) != nil {
		return
	}
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if syscall.Kill(-group, 0) != nil {
			return
		}
	}
	_ = syscall.Kill(-group, syscall.SIGKILL)
}

func (p *program) resize(size *unix.Winsize) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.terminal == nil {
		return
	}
	// Not Fd(): it would have reads block a thread from then on.
	if raw, err := p.terminal.SyscallConn(); err == nil {
		_ = raw.Control(func(descriptor uintptr) {
			_ = unix.IoctlSetWinsize(int(descriptor), unix.TIOCSWINSZ, size)
		})
	}
}

func newsOf(status syscall.WaitStatus) string {
	if status.Signaled() {
		core := ""
		if status.CoreDump() {
			core = " core"
		}
		return fmt.Sprintf("signal %d%s\n", int(status.Signal()), core)
	}
	return fmt.Sprintf("status %d\n", status.ExitStatus())
}
