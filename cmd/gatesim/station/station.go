package station

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"bordergate/sync/wire"
)

// ErrNotReady is returned for a program that does not come up.
var ErrNotReady = errors.New("not ready in time")

// Station is one headquarters and one gate. Its methods are for one caller.
type Station struct {
	o      Options
	status string // address of the gate's status page
	hq     *process
	gate   *process
	events chan Event
	// officer signs acts; see officer.go.
	officer wire.Signer

	stop    context.CancelFunc
	workers sync.WaitGroup
}

// New makes the folder, the identities and the configuration.
func New(ctx context.Context, o Options) (*Station, error) {
	if err := o.checkPrograms(); err != nil {
		return nil, err
	}
	s := &Station{o: o, events: make(chan Event, 1024)}
	for _, dir := range []string{"gate", "hq/store", "hq/trust", "trust"} {
		if err := os.MkdirAll(o.path(dir), 0o700); err != nil {
			return nil, fmt.Errorf("make station: %w", err)
		}
	}
	// The gate's own folder stays empty: it believes what headquarters publishes.
	if err := o.Trust(o.path("hq/trust")); err != nil {
		return nil, err
	}
	fingerprint, err := s.identities(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.configure(fingerprint); err != nil {
		return nil, err
	}
	follow, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.workers.Go(func() { s.follow(follow) })
	return s, nil
}

// identities makes headquarters' keys and the gate's and introduces them to
// each other.
func (s *Station) identities(ctx context.Context) (fingerprint string, err error) {
	out, err := command(ctx, s.o.Program("hqd"), "init", "--dir", s.o.path("hq/identity"))
	if err != nil {
		return "", err
	}
	var made struct{ Fingerprint, Bundle string }
	if err := json.Unmarshal(out, &made); err != nil {
		return "", fmt.Errorf("read hqd init: %w", err)
	}
	bundle, err := os.ReadFile(made.Bundle)
	if err != nil {
		return "", fmt.Errorf("read bundle: %w", err)
	}
	if err := os.WriteFile(s.o.path("hq.json"), bundle, 0o644); err != nil {
		return "", fmt.Errorf("copy bundle: %w", err)
	}
	if out, err = command(ctx, s.o.Program("gatectl"), "identity", "init", "--dir", s.o.path("gate/identity"), "--gate", GateID, "--json"); err != nil {
		return "", err
	}
	var gate struct{ Request string }
	if err := json.Unmarshal(out, &gate); err != nil {
		return "", fmt.Errorf("read gatectl identity init: %w", err)
	}
	certificate := s.o.path("lane-1.crt")
	if _, err = command(ctx, s.o.Program("hqd"), "gate", "add", "--identity", s.o.path("hq/identity"), "--control", s.o.path("hqd.sock"),
		"--request", gate.Request, "--certificate", certificate); err != nil {
		return "", err
	}
	_, err = command(ctx, s.o.Program("gatectl"), "identity", "install", "--dir", s.o.path("gate/identity"), "--certificate", certificate)
	return made.Fingerprint, err
}

func (s *Station) configure(fingerprint string) error {
	broker, err := freeAddress()
	if err != nil {
		return err
	}
	if s.status, err = freeAddress(); err != nil {
		return err
	}
	return errors.Join(
		writeYAML(s.o.path("hq.yaml"), s.o.hqFile(broker)),
		writeYAML(s.o.path("gate.yaml"), s.o.gateFile(s.status, broker, fingerprint)),
	)
}

// Events are the gate's, in order.
func (s *Station) Events() <-chan Event { return s.events }

// StatusURL is the gate's status page.
func (s *Station) StatusURL() string { return "http://" + s.status + "/" }

// StartHQ starts headquarters and waits until it answers.
func (s *Station) StartHQ(ctx context.Context) error {
	var err error
	if s.hq, err = start("hqd", s.o.path("hqd.log"), s.o.Program("hqd"), "serve", "--config", s.o.path("hq.yaml")); err != nil {
		return err
	}
	return s.wait(ctx, "headquarters", readyLimit, s.hq, func() bool {
		st, err := s.hqStatus(ctx)
		return err == nil && st.Online
	})
}

// KillHQ takes headquarters and its broker away at once.
func (s *Station) KillHQ() {
	if s.hq != nil {
		s.hq.kill()
		s.hq = nil
	}
}

// HQRunning reports whether headquarters was started and not taken away.
func (s *Station) HQRunning() bool { return s.hq != nil }

// StartGate starts the gate's daemon and waits until its lane is ready.
func (s *Station) StartGate(ctx context.Context) error {
	var err error
	if s.gate, err = start("gated", s.o.path("gated.log"), s.o.Program("gated"), "--config", s.o.path("gate.yaml")); err != nil {
		return err
	}
	return s.WaitReady(ctx)
}

// KillGate kills the gate's daemon with no warning.
func (s *Station) KillGate() {
	if s.gate != nil {
		s.gate.kill()
		s.gate = nil
	}
}

// SignalWorker sends a signal to one of the gate's two vision workers; it
// reports whether there was one.
func (s *Station) SignalWorker(nth int, sig syscall.Signal) bool {
	if s.gate == nil {
		return false
	}
	pids := children(s.gate.pid)
	if nth >= len(pids) {
		return false
	}
	return syscall.Kill(pids[nth], sig) == nil
}

// WaitServing waits until one of the gate's workers has started anew since a
// status was taken, every camera delivers and the lane is in service. It names
// the camera.
func (s *Station) WaitServing(ctx context.Context, before Status) (camera string, err error) {
	err = s.wait(ctx, "worker", readyLimit, s.gate, func() bool {
		st, err := s.Status(ctx)
		if err != nil {
			return false
		}
		name := st.Restarted(before)
		if name != "" {
			camera = name
		}
		return camera != "" && st.Serving()
	})
	return camera, err
}

// children lists the processes that a process started, by ascending number.
func children(pid int) []int {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var out []int
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for word := range strings.FieldsSeq(string(b)) {
			var n int
			if _, err := fmt.Sscan(word, &n); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// WaitReady waits until the lane is ready for a traveller.
func (s *Station) WaitReady(ctx context.Context) error {
	return s.wait(ctx, "gate", readyLimit, s.gate, func() bool {
		st, err := s.Status(ctx)
		return err == nil && st.Lane.State == "ready"
	})
}

// Failed is why a program of the station is no more, nil while all run.
func (s *Station) Failed() error {
	var errs []error
	for _, p := range []*process{s.hq, s.gate} {
		if p != nil {
			errs = append(errs, p.ended())
		}
	}
	return errors.Join(errs...)
}

// wait asks again and again until done, for at most limit.
func (s *Station) wait(ctx context.Context, what string, limit time.Duration, p *process, done func() bool) error {
	err := until(ctx, what, limit, p, done)
	if errors.Is(err, ErrNotReady) {
		return fmt.Errorf("%w%s", err, s.cause())
	}
	return err
}

// until asks again and again until done, for at most limit, and no longer than
// the process lives.
func until(ctx context.Context, what string, limit time.Duration, p *process, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for !done() {
		if p != nil {
			if err := p.ended(); err != nil {
				return fmt.Errorf("wait for %s: %w (see %s)", what, err, p.log)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w: %w", what, ErrNotReady, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// cause is what the gate says of itself, for an error's text.
func (s *Station) cause() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	st, err := s.Status(ctx)
	if err != nil {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "; the lane is %s (%s)", st.Lane.State, st.Lane.Cause)
	for _, f := range st.Faults {
		fmt.Fprintf(&text, "; %s: %s", f.Part, f.Error)
	}
	return text.String()
}

// Close ends both programs in order.
func (s *Station) Close() {
	if s.gate != nil {
		s.gate.stop(stopGrace)
	}
	if s.hq != nil {
		s.hq.stop(stopGrace)
	}
	s.stop()
	s.workers.Wait()
}
