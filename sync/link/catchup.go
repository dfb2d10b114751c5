package link

import "time"

// catchup bounds the time in which the gate admits nobody because it may lack
// suspensions: while what it missed keeps coming, catching up goes on, and a
// headquarters that says nothing ends it soon. After the bound the age of the
// cache decides, as it does without headquarters.
type catchup struct {
	until time.Time // unless something more comes
	most  time.Time // whatever comes
}

// CatchingUp reports whether the gate has just come back and may not have
// applied the suspensions it missed. It ends when the cursor has reached a head
// of HQ that came since, when every restriction that was missed is in force and
// a snapshot is on its way, when the link goes down again, when nothing of what
// was missed has come for CatchUp, or after CatchUpMost.
func (d *Downlink) CatchingUp() bool { return d.catching.Load() }

func (d *Downlink) setCatching(on bool) {
	if d.catching.Swap(on) != on {
		d.opts.OnCatchingUp(on)
	}
}

// behindNow begins catching up with a new connection.
func (d *Downlink) behindNow(now time.Time) {
	d.bound.most = now.Add(d.opts.CatchUpMost)
	d.moved(now)
	d.setCatching(true)
}

// moved notes that a part of what may have been missed is here.
func (d *Downlink) moved(now time.Time) {
	d.bound.until = now.Add(d.opts.CatchUp)
	if d.bound.until.After(d.bound.most) {
		d.bound.until = d.bound.most
	}
}

// giveUp ends catching up at its bound.
func (d *Downlink) giveUp(now time.Time) {
	if d.snap != nil && d.snap.building {
		d.moved(now) // everything is here, and on its way into the file
	}
	if d.catching.Load() && now.After(d.bound.until) {
		d.opts.Logger.Warn("Catching up took too long", "hint", "the gate serves by the age of its cache; see that headquarters is up and the link is fast enough")
		d.setCatching(false)
	}
}
