package sandbox

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// GiveUpRights takes all capabilities from all threads of this process, for good, and puts the seccomp filter over them
// that the descriptor has (seccomp(2), a program of classic BPF). Nothing can be mounted from then on.
func GiveUpRights(filter int) error {
	// Of the thread; the filter takes it to all of them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	for capability := range uintptr(unix.CAP_LAST_CAP + 1) {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, capability, 0, 0, 0)
		if err != nil {
			break // the kernel has no more
		}
		if has == 0 {
			continue
		}
		if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, capability, 0); errno != 0 {
			return fmt.Errorf("capability %d: %w", capability, errno)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0)
	runtime.KeepAlive(&none)
	if errno != 0 {
		return fmt.Errorf("the capabilities: %w", errno)
	}
	return putFilter(filter)
}

func putFilter(descriptor int) error {
	file := os.NewFile(uintptr(descriptor), "filter")
	defer file.Close()
	program, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	const instruction = int(unsafe.Sizeof(unix.SockFilter{}))
	if len(program) == 0 || len(program)%instruction != 0 {
		return fmt.Errorf("the seccomp filter has %d bytes", len(program))
	}
	list := unix.SockFprog{
		Len:    uint16(len(program) / instruction),
		Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0])),
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&list)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return fmt.Errorf("the seccomp filter: %w", errno)
	}
	return nil
}
