package main

import "time"

// sampled is what was measured of things that were done some at a time.
type sampled struct {
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"perSecond"`
	LatencyUs latency `json:"latencyUs"`
	// CPU time of this generator.
	CPUSeconds float64 `json:"cpuSeconds"`
}

// sample does one so often; one returns how long what is to be measured took.
func sample(count, parallel int, one func() (time.Duration, error)) (sampled, error) {
	times := make([]time.Duration, count)
	begin := time.Now()
	err := workers(count, parallel, func(i int) error {
		took, err := one()
		times[i] = took
		return err
	})
	if err != nil {
		return sampled{}, err
	}
	seconds := time.Since(begin).Seconds()
	return sampled{seconds, float64(count) / seconds, latencies(times), cpuSeconds()}, nil
}
