package main

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// workers calls job(0) .. job(count-1) from `parallel` goroutines and returns the first error.
func workers(count, parallel int, job func(i int) error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	var once sync.Once
	var first error
	for range min(parallel, count) {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				if err := job(i); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	wait.Wait()
	return first
}

// latency is what a set of durations looks like, in microseconds.
type latency struct {
	Count int     `json:"count"`
	Min   float64 `json:"min"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func latencies(all []time.Duration) latency {
	if len(all) == 0 {
		return latency{}
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	at := func(share float64) float64 {
		return float64(all[int(share*float64(len(all)-1))].Nanoseconds()) / 1e3
	}
	return latency{len(all), at(0), at(.5), at(.9), at(.99), at(1)}
}
