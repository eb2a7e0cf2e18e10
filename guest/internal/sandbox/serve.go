// Package sandbox is the first process of a sandbox. The server starts programs by connections to a socket that it made
// before the sandbox was there, so that nothing inside can reach it, and gives orders about them on a line of its own;
// when that line ends, the server is gone, and everything in the sandbox ends with this process.
package sandbox

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Limit of setrlimit(2) for this process and all programs.
type Limit struct {
	Resource int
	Value    uint64
}

// Find gives the path of a program by its name and environment.
type Find func(name string, env []string) (string, error)

const (
	// spareThreads are there before the programs are: when these have used up the number of processes, the kernel would
	// refuse a thread to this one, too, and Go cannot go on without.
	spareThreads = 8
	processors   = 2
	longestOrder = 4096
)

// Serve ends when the control line does.
func Serve(control, listen int, limits []Limit, find Find) error {
	if err := harden(limits); err != nil {
		return err
	}
	line := os.NewFile(uintptr(control), "control")
	listener, err := net.FileListener(os.NewFile(uintptr(listen), "listener"))
	if err != nil {
		return err
	}
	children := newChildren()
	server := &server{children: children, find: find, programs: map[string]*program{}}
	go server.accept(listener)
	if _, err := io.WriteString(line, "ready\n"); err != nil {
		return err
	}
	orders := bufio.NewScanner(line)
	orders.Buffer(make([]byte, 0, longestOrder), longestOrder)
	for orders.Scan() {
		server.obey(strings.Fields(orders.Text()))
	}
	return nil
}

// harden closes this process against those that it is going to start, which have the same user.
func harden(limits []Limit) error {
	if os.Getpid() != 1 {
		return errors.New("sandbox-init is the first process of a sandbox, or nothing")
	}
	// Its memory and its descriptors are nobody's business (ptrace(2), PR_SET_DUMPABLE).
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return err
	}
	// The kernel keeps from the first process what it does not handle; Go would handle it by ending.
	signal.Notify(make(chan os.Signal, 1))
	runtime.GOMAXPROCS(processors)
	makeThreads()
	return SetLimits(limits)
}

// SetLimits sets both values. What is lower already stays so: nobody may raise it.
func SetLimits(limits []Limit) error {
	for _, limit := range limits {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(limit.Resource, &now); err != nil {
			return err
		}
		value := min(limit.Value, now.Max)
		if err := syscall.Setrlimit(limit.Resource, &syscall.Rlimit{Cur: value, Max: value}); err != nil {
			return err
		}
	}
	return nil
}

func makeThreads() {
	var all, ready sync.WaitGroup
	release := make(chan struct{})
	for range spareThreads {
		all.Add(1)
		ready.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ready.Done()
			<-release
		}()
	}
	ready.Wait()
	close(release)
	all.Wait()
}

type server struct {
	children *children
	find     Find
	mutex    sync.Mutex
	programs map[string]*program
}

func (s *server) accept(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			// Nothing but a want of descriptors, which passes.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go s.serve(connection.(*net.UnixConn))
	}
}

func (s *server) serve(connection *net.UnixConn) {
	defer connection.Close()
	order, err := readStart(connection)
	if err != nil {
		return
	}
	one := &program{id: order.id, wire: &wire{connection: connection}}
	s.mutex.Lock()
	s.programs[one.id] = one
	s.mutex.Unlock()
	defer func() {
		s.mutex.Lock()
		delete(s.programs, one.id)
		s.mutex.Unlock()
	}()
	one.run(order, s.children, s.find)
}

// obey takes `signal ID NUMBER`, `end ID NUMBER` and `resize ID ROWS COLUMNS WIDTH HEIGHT`. An order about a program that
// has ended is none.
func (s *server) obey(words []string) {
	if len(words) < 3 {
		return
	}
	s.mutex.Lock()
	one := s.programs[words[1]]
	s.mutex.Unlock()
	if one == nil {
		return
	}
	numbers := make([]int, 0, 4)
	for _, word := range words[2:] {
		number, err := strconv.Atoi(word)
		if err != nil {
			return
		}
		numbers = append(numbers, number)
	}
	switch words[0] {
	case "signal":
		one.signal(syscall.Signal(numbers[0]))
	case "end":
		go one.end(syscall.Signal(numbers[0]))
	case "resize":
		if len(numbers) == 4 {
			one.resize(sizeOf(numbers))
		}
	}
}

func sizeOf(numbers []int) *unix.Winsize {
	return &unix.Winsize{Row: uint16(numbers[0]), Col: uint16(numbers[1]), Xpixel: uint16(numbers[2]), Ypixel: uint16(numbers[3])}
}
