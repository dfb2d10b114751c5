package app

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"bordergate/sync/wire"
)

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

// randomID is n random bytes in hex.
func randomID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand never fails
	return hex.EncodeToString(b)
}

// gateState is what HQ knows of a gate at this moment.
type gateState struct {
	entry  GateEntry
	ring   *wire.Keyring
	boot   string
	birth  wire.Birth
	state  wire.State
	seen   time.Time
	up     bool
	count  map[string]uint64
	twins  twins
	offset time.Duration // of the gate's clock, when it last said
}

// fleet is every registered gate. What is not registered, or retired, is
// refused.
type fleet struct {
	dir    string
	mu     sync.Mutex
	gates  map[string]*gateState
	count0 map[string]uint64 // of messages from nobody registered
}

func openFleet(dir string) (*fleet, error) {
	f := &fleet{dir: dir, gates: make(map[string]*gateState), count0: make(map[string]uint64)}
	list, err := ListGates(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if err := f.set(e); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *fleet) set(e GateEntry) error {
	ring, err := e.ring()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.gates[e.Gate]
	if g == nil {
		g = &gateState{count: make(map[string]uint64)}
		f.gates[e.Gate] = g
	}
	g.entry, g.ring = e, ring
	return nil
}

// gate finds a gate in service.
func (f *fleet) gate(name string) (GateEntry, *wire.Keyring, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.gates[name]
	if g == nil || !g.entry.Retired.IsZero() {
		return GateEntry{}, nil, ErrGate
	}
	return g.entry, g.ring, nil
}

// inService lists the gates that are not retired, by name.
func (f *fleet) inService() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for name, g := range f.gates {
		if g.entry.Retired.IsZero() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (f *fleet) with(gate string, change func(*gateState)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g := f.gates[gate]; g != nil {
		g.seen = time.Now()
		change(g)
	}
}

// count counts something that was refused or noteworthy, under the gate where
// there is one.
func (f *fleet) count(gate, cause string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g := f.gates[gate]; g != nil {
		g.count[cause]++
		return
	}
	f.count0[cause]++
}

// GateStatus is a gate in HQ's view.
type GateStatus struct {
	Gate      string     `json:"gate"`
	Retired   bool       `json:"retired"`
	Up        bool       `json:"up"`
	Seen      time.Time  `json:"seen,omitzero"`
	Software  string     `json:"software,omitempty"`
	Simulated bool       `json:"simulated"`
	State     wire.State `json:"state"`
	// CertificateUntil is when the gate's certificate ends.
	CertificateUntil time.Time         `json:"certificate_until,omitzero"`
	Stored           map[string]uint64 `json:"stored"` // records of the present epoch, by stream
	// Drift names what the gate works by that is not what HQ has it work by.
	Drift    []string          `json:"drift,omitempty"`
	Counters map[string]uint64 `json:"counters,omitempty"`
}

func (f *fleet) status() ([]GateStatus, map[string]uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]GateStatus, 0, len(f.gates))
	for _, name := range slices.Sorted(maps.Keys(f.gates)) {
		g := f.gates[name]
		out = append(out, GateStatus{
			Gate: name, Retired: !g.entry.Retired.IsZero(), Up: g.up, Seen: g.seen,
			Software: g.birth.Software, Simulated: g.birth.Simulated, State: g.state, Counters: maps.Clone(g.count),
			CertificateUntil: g.entry.Until,
		})
	}
	return out, maps.Clone(f.count0)
}
