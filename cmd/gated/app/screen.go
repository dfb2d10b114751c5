package app

import (
	"time"

	"bordergate/configs"
	"bordergate/gate"
	"bordergate/gate/screen"
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
		Limits: screenLimits(laneTimes(a.cfg)), Mono: a.mono,
	})
	if err != nil {
		return err
	}
	v, _ := a.hub.snapshot()
	s.Show(v)
	a.hub.traveller = s.Show
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
