package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"bordergate/gate"
)

// manager tells the service manager how the gate does (sd_notify): READY once
// the lane has finished its self-test or named why it cannot serve, STATUS in
// plain words, WATCHDOG when the lane's loop has completed a turn and no
// goroutine it depends on stands still, STOPPING at the end. Whoever tells it
// something is never kept waiting; one goroutine writes to the socket.
type manager struct {
	log    *slog.Logger
	every  time.Duration // between two feeds of the watchdog; 0: there is none
	status func() string
	send   func(state string) error

	kick chan struct{}

	mu       sync.Mutex
	settled  bool // the lane has said where it stands
	fed      bool
	stopping bool

	last time.Time // of the lane's loop alone: when it fed last
	lags string    // likewise: what kept it from feeding
}

func newManager(log *slog.Logger, status func() string) *manager {
	m := &manager{log: log, status: status, kick: make(chan struct{}, 1), send: func(state string) error {
		_, err := daemon.SdNotify(false, state)
		return err
	}}
	if limit, err := daemon.SdWatchdogEnabled(false); err == nil {
		m.every = limit / 3
	}
	return m
}

func (m *manager) change(f func()) {
	if m == nil {
		return // a gate of a test
	}
	m.mu.Lock()
	f()
	m.mu.Unlock()
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// see is told of every view of the lane.
func (m *manager) see(v gate.View) {
	m.change(func() { m.settled = m.settled || v.State != gate.SelfTest && v.Cause != causeStarting })
}

// stop says that the gate ends.
func (m *manager) stop() { m.change(func() { m.stopping = true }) }

// feed is called by the lane's loop after a completed turn. What stands still
// keeps the watchdog hungry, and is named once.
func (m *manager) feed(now time.Time, still func() string) {
	if m == nil || m.every <= 0 || now.Sub(m.last) < m.every {
		return
	}
	lags := still()
	if lags != m.lags {
		m.lags = lags
		if lags != "" {
			m.log.Error("Watchdog is not fed: a part stands still", "service", lags)
		}
	}
	if lags != "" {
		return
	}
	m.last = now
	m.change(func() { m.fed = true })
}

// statusEvery is how often the status line is looked at again: not all that it
// says comes from the lane.
const statusEvery = 5 * time.Second

// serve writes what has changed until ctx ends.
func (m *manager) serve(ctx context.Context) error {
	again := time.NewTicker(statusEvery)
	defer again.Stop()
	var told struct {
		ready, stopping bool
		status          string
	}
	for {
		m.mu.Lock()
		settled, fed, stopping := m.settled, m.fed, m.stopping
		m.fed = false
		m.mu.Unlock()
		var lines []string
		if settled && !told.ready {
			told.ready = true
			lines = append(lines, daemon.SdNotifyReady)
		}
		if stopping && !told.stopping {
			told.stopping = true
			lines = append(lines, daemon.SdNotifyStopping)
		}
		if fed {
			lines = append(lines, daemon.SdNotifyWatchdog)
		}
		if s := m.status(); s != told.status {
			told.status = s
			lines = append(lines, "STATUS="+s)
		}
		if len(lines) > 0 {
			if err := m.send(strings.Join(lines, "\n")); err != nil {
				m.log.Warn("Service manager was not told", "error", err)
			}
		}
		select {
		case <-m.kick:
		case <-again.C:
		case <-ctx.Done():
			if !told.stopping {
				_ = m.send(daemon.SdNotifyStopping) // it sees the end anyhow
			}
			return ctx.Err()
		}
	}
}

// causeStarting is the lane's cause before it was started.
const causeStarting = "starting"

func (a *App) openManager() {
	a.manager = newManager(a.log, a.statusLine)
	a.hub.seen = a.manager.see
	a.run("service manager", a.manager.serve)
}

// beat is called by the lane's loop after each completed turn.
func (a *App) beat() { a.manager.feed(time.Now(), a.standsStill) }

// standsStill names the first critical goroutine that runs and completes
// nothing.
func (a *App) standsStill() string {
	now := monoNow()
	for _, s := range a.services {
		if s.pulse.still(now) {
			return s.name
		}
	}
	return ""
}

// statusLine is the gate's state and cause in plain words.
func (a *App) statusLine() string {
	v, _ := a.hub.snapshot()
	line := "lane " + strings.ReplaceAll(v.State.String(), "_", " ")
	if v.Cause != "" {
		line += ": " + strings.ReplaceAll(v.Cause, "_", " ")
	}
	if len(a.faults) > 0 {
		line = fmt.Sprintf("closed: %s: %s", a.faults[0].Part, a.faults[0].Error)
	} else if d := a.degraded(); len(d) > 0 {
		line += fmt.Sprintf("; %s %s: %s", d[0].Device, strings.ReplaceAll(d[0].Failure, "_", " "), d[0].Cure)
	}
	return oneLine(line)
}

// oneLine keeps a status from being taken for more than one.
func oneLine(s string) string {
	const most = 300
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), most)]
}
