package main

import "syscall"

// pipeBytes: what a pipe of streams takes before its writer has to wait (F_SETPIPE_SZ, fcntl(2)); the kernel may refuse it.
const pipeBytes = 256 * 1024

// fSetPipeSize is F_SETPIPE_SZ (linux/fcntl.h), which package syscall does not have.
const fSetPipeSize = 1031

// takeStreams makes FIFOs the program's streams: <path>.in, <path>.out and <path>.err. Opened for both directions first, so
// that nothing waits for the other end (fifo(7)). If one cannot be had, all remain as they are.
func takeStreams(path string) {
	both := make([]int, 0, 3)
	own := make([]int, 0, 3)
	defer func() {
		for _, fd := range append(both, own...) {
			_ = syscall.Close(fd)
		}
	}()
	for at, end := range []string{".in", ".out", ".err"} {
		mode := syscall.O_WRONLY
		if at == 0 {
			mode = syscall.O_RDONLY
		}
		held, err := syscall.Open(path+end, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		both = append(both, held)
		var status syscall.Stat_t
		if err := syscall.Fstat(held, &status); err != nil || status.Mode&syscall.S_IFMT != syscall.S_IFIFO {
			return
		}
		fd, err := syscall.Open(path+end, mode|syscall.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		own = append(own, fd)
		_, _, _ = syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), fSetPipeSize, pipeBytes)
	}
	for at, fd := range own {
		_ = syscall.Dup3(fd, at, 0) // both are open
	}
}
