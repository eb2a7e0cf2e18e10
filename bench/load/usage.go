package main

import (
	"syscall"
	"time"
)

// cpuSeconds is the CPU time of this process so far: what of the machine's load is ours, not the server's.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return (time.Duration(usage.Utime.Nano()) + time.Duration(usage.Stime.Nano())).Seconds()
}
