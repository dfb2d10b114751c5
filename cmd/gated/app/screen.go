package app

import (
	"sync"
	"time"

	"bordergate/configs"
	"bordergate/gate"
	"bordergate/gate/screen"
	"bordergate/hal/vision"
)

// openScreen serves the traveller's screen, where the gate has one. It comes
// before whatever may be missing, so that a gate that stays closed says so to
// travellers too.
func (a *App) openScreen() error {
	c := a.cfg.Screen
	if !c.Present() {
		return nil
	}
	s, err := screen.New(screen.Options{
		Listen: c.Listen, Languages: c.Languages, Side: c.OfficerSide, Sound: c.Sound, Start: c.Start,
		Limits: screenLimits(laneTimes(a.cfg)), Mono: a.mono, Camera: a.mirror.ask,
	})
	if err != nil {
		return err
	}
	v, _ := a.hub.snapshot()
	s.Show(v)
	a.hub.traveller, a.mirror.paint = s.Show, s.Picture
	a.run("screen", s.Serve)
	a.onClose("screen", s.Close)
	return nil
}

// laneTimes are the limits of the lane's states by the gate's file.
func laneTimes(c *configs.Gate) gate.Times {
	t := gate.DefaultTimes()
	t.Reading, t.Matching, t.Referred = c.Policy.CaptureTimeout, c.Policy.FaceTimeout, c.Policy.ReferralHold
	t.Granted = c.Turnstile.PassageWait + time.Second
	return t
}

// screenLimits are the times that the traveller is shown. A grant lives a little
// shorter than its state, and what is shown is the grant.
func screenLimits(t gate.Times) map[gate.State]time.Duration {
	return map[gate.State]time.Duration{gate.Reading: t.Reading, gate.Matching: t.Matching, gate.Granted: t.Granted - time.Second}
}

// mirror brings the face camera's views to the screen. A view of a frame from
// before they were asked for may show the traveller before.
type mirror struct {
	paint  func(jpeg []byte) // of the screen; nil: there is none
	mu     sync.Mutex
	worker func(on bool) // of the face camera, once there is one
	on     bool
	since  int64
}

// ask has the worker send views, or end them. It does not block.
func (m *mirror) ask(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.on, m.since = on, monoNow()
	if m.worker != nil {
		m.worker(on)
	}
}

// attach gives the mirror its camera.
func (m *mirror) attach(worker func(on bool)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.worker = worker
	worker(m.on)
}

func (m *mirror) view(v vision.View) {
	m.mu.Lock()
	show := m.on && v.FrameAt >= m.since && m.paint != nil
	m.mu.Unlock()
	if show {
		m.paint(v.JPEG)
	}
}
