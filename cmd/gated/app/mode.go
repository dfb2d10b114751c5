package app

import (
	"sync"

	"bordergate/gate"
	"bordergate/sync/wire"
)

// Who may order a mode.
const (
	modeByHQ      = "headquarters"
	modeByRestart = "restart" // while the last traveller before it is served
)

// modes are the lane's modes as ordered by each who may; the strictest holds,
// so that nobody opens what another has closed.
type modes struct {
	mu sync.Mutex
	by map[string]gate.Mode
}

// set notes an order and gives the mode that holds now.
func (m *modes) set(who string, mode gate.Mode) gate.Mode {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = make(map[string]gate.Mode)
	}
	m.by[who] = mode
	return m.strictest()
}

// now is the mode that holds.
func (m *modes) now() gate.Mode {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.strictest()
}

func (m *modes) strictest() gate.Mode {
	out := gate.ModeNormal
	for _, mode := range m.by {
		switch {
		case mode == gate.ModeClosed:
			return gate.ModeClosed
		case mode == gate.ModeMaintenance:
			out = mode
		}
	}
	return out
}

// wireMode is the lane's word for a mode on the wire. What is not known closes.
func wireMode(text string) gate.Mode {
	switch text {
	case "", wire.ModeNormal:
		return gate.ModeNormal
	default:
		return gate.ModeClosed
	}
}

// order has the lane follow what somebody ordered.
func (a *App) order(who string, mode gate.Mode) {
	a.post(gate.SetMode(a.mono(), a.modes.set(who, mode)))
}
