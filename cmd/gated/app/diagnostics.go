package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/pprof"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// Diagnostics are a gate's account of itself for headquarters: what the status
// page shows, and the process. Like that page it names no person; it is bounded
// by what one message may carry.
type Diagnostics struct {
	Status   Status            `json:"status"`
	Software string            `json:"software"`
	Go       string            `json:"go"`
	Config   string            `json:"config"` // as in the gate's state
	UpS      float64           `json:"up_s"`
	Counters map[string]uint64 `json:"counters,omitempty"`
	Heap     uint64            `json:"heap_bytes"`
	System   uint64            `json:"system_bytes"`
	DiskFree uint64            `json:"disk_free_bytes"`
	DiskSize uint64            `json:"disk_size_bytes"`
	// Goroutines are their stacks, alike ones together, without arguments.
	Goroutines int    `json:"goroutines"`
	Stacks     string `json:"stacks,omitempty"`
}

const maxStacks = 24 << 10

func (a *App) diagnostics() Diagnostics {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	d := Diagnostics{
		Status: a.Status(), Software: version(), Go: runtime.Version(), Config: a.digest().config,
		UpS: time.Since(a.started).Seconds(), Heap: mem.HeapAlloc, System: mem.Sys, Goroutines: runtime.NumGoroutine(),
	}
	if a.hq != nil {
		d.Counters = a.hq.gate.Status().Counters
	}
	var disk unix.Statfs_t
	if unix.Statfs(a.cfg.Paths.State, &disk) == nil {
		d.DiskFree, d.DiskSize = disk.Bavail*uint64(disk.Bsize), disk.Blocks*uint64(disk.Bsize)
	}
	var stacks bytes.Buffer
	if pprof.Lookup("goroutine").WriteTo(&stacks, 1) == nil {
		d.Stacks = string(stacks.Bytes()[:min(stacks.Len(), maxStacks)])
	}
	return d
}

// encode leaves out what is least needed until the rest fits.
func (d Diagnostics) encode() ([]byte, error) {
	for _, less := range []func(){func() {}, func() { d.Stacks = "" }, func() { d.Status.Recent = nil }} {
		less()
		b, err := json.Marshal(d)
		if err != nil {
			return nil, fmt.Errorf("encode diagnostics: %w", err)
		}
		if len(b) <= wire.MaxDiagnostics {
			return b, nil
		}
	}
	return nil, fmt.Errorf("encode diagnostics: %w", wire.ErrTooLarge)
}

func (a *App) orderedDiagnostics(_ context.Context, o link.Order) (done, error) {
	plain, err := a.diagnostics().encode()
	if err != nil {
		return done{}, err
	}
	sealed, err := wire.SealDiagnostics(a.hq.seal, a.cfg.Gate.ID, o.ID, plain)
	return done{sealed: sealed}, err
}
