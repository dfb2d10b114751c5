package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/cmd/gated/technician"
	"bordergate/gate"
	"bordergate/gate/reason"
)

// What the technician's page says: the status in words, the worst first.

type (
	row     = technician.Row
	section = technician.Section
)

func tone(ok bool) string {
	if ok {
		return technician.Good
	}
	return technician.Bad
}

func say(t string, cells ...string) row { return row{Tone: t, Cells: cells} }

// technicianPage is the gate as it stands.
func (a *App) technicianPage() technician.Page { return a.pageOf(a.Status(), a.deviceChecks()) }

func (a *App) pageOf(s Status, devices []DeviceCheck) technician.Page {
	p := technician.Page{Gate: s.Gate.ID, Simulated: s.Simulated}
	p.Headline, p.Tone = a.headline(s)
	p.Sections = slices.DeleteFunc([]section{
		a.configSection(), faultSection(s), a.laneSection(s), deviceSection(devices), testSection(s), hqSection(s),
		a.machineSection(s), faceSection(s),
		{ID: "versions", Title: "Versions and hashes", Head: []string{"what", "which", "SHA-256"}, Rows: a.hashes()},
		decisionSection(s),
	}, func(x section) bool { return len(x.Rows) == 0 && x.Note == "" })
	return p
}

// headline is the gate in a few words.
func (a *App) headline(s Status) (text, tone string) {
	state := spaced(s.Lane.State)
	switch {
	case len(a.configFaults) > 0:
		return fmt.Sprintf("closed, %s in the configuration", counted(len(a.configFaults), "fault")), technician.Bad
	case len(s.Faults) > 0:
		return fmt.Sprintf("%s, %s", state, counted(len(s.Faults), "fault")), technician.Bad
	case slices.Contains([]string{gate.OutOfService.String(), gate.Closed.String(), gate.Emergency.String()}, s.Lane.State):
		if s.Lane.Cause != "" {
			state += ": " + spaced(s.Lane.Cause)
		}
		return state, technician.Bad
	case len(s.Degraded) > 0:
		return fmt.Sprintf("%s, %s", state, counted(len(s.Degraded), "thing")+" not well"), technician.Warn
	case s.Lane.Mode != gate.ModeNormal.String():
		return state + ", " + spaced(s.Lane.Mode), technician.Warn
	default:
		return state + ", all well", technician.Good
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func spaced(word string) string { return strings.ReplaceAll(word, "_", " ") }

// configSection lists what is wrong with the file, fault by fault, and how the
// last reload went.
func (a *App) configSection() section {
	x := section{ID: "config", Title: "Configuration", Head: []string{"place", "key", "what is wrong", "cure"}}
	for _, f := range a.configFaults {
		place, what, cure := f.File, f.Message, f.Hint
		if f.Line > 0 {
			place += fmt.Sprintf(", line %d", f.Line)
		}
		if f.Column > 0 {
			place += fmt.Sprintf(", column %d", f.Column)
		}
		if f.Value != "" {
			what += fmt.Sprintf(": %q", f.Value)
		}
		x.Rows = append(x.Rows, say(technician.Bad, place, orNone(f.Path), what, orNone(cure)))
	}
	if len(x.Rows) > 0 {
		x.Note = "The gate stays closed until the file is right. Mend it, try it with gatectl config check, then start gated again."
		return x
	}
	r := a.reloaded.Load()
	if r == nil {
		return x
	}
	for _, f := range r.Faults {
		x.Rows = append(x.Rows, say(technician.Bad, "reload", "–", f, "the last good configuration holds: mend the file and reload"))
	}
	for _, c := range r.Refused {
		x.Rows = append(x.Rows, say(technician.Warn, "reload", c.Path, "not taken up: "+c.Why, "start gated again when the lane is empty"))
	}
	return x
}

// faultSection lists what keeps the gate closed, and what has it serve less.
func faultSection(s Status) section {
	x := section{ID: "faults", Title: "What is wrong", Head: []string{"part", "service", "what is wrong", "cure"}}
	for _, f := range s.Faults {
		if f.Part != "configuration" {
			x.Rows = append(x.Rows, say(technician.Bad, spaced(f.Part), "closed", f.Error, "as it says"))
		}
	}
	for _, d := range s.Degraded {
		t := technician.Warn
		if d.Service == gate.ServiceClosed {
			t = technician.Bad
		}
		x.Rows = append(x.Rows, say(t, spaced(d.Device)+": "+spaced(d.Failure), d.Service.String(), orNone(d.Error), d.Cure))
	}
	return x
}

func (a *App) laneSection(s Status) section {
	x := section{ID: "lane", Title: "Lane", Head: []string{"what", "how it is"}}
	add := func(t, what, how string) { x.Rows = append(x.Rows, say(t, what, how)) }
	state := fmt.Sprintf("%s for %s", spaced(s.Lane.State), ago(s.Lane.ForS))
	if s.Lane.Cause != "" {
		state += ", because of " + spaced(s.Lane.Cause)
	}
	add("", "state", state)
	if s.Gate.ID != "" {
		way := s.Lane.Direction
		if way == gate.DirectionNone.String() {
			way = s.Gate.Direction // the lane has not begun
		}
		add("", "place", fmt.Sprintf("crossing %s, lane %s, %s", s.Gate.Crossing, s.Gate.Lane, way))
	}
	mode, t := spaced(s.Lane.Mode), ""
	if s.Lane.Mode != gate.ModeNormal.String() {
		t = technician.Warn
	}
	if s.Lane.By != "" {
		mode += ", ordered by " + s.Lane.By
	}
	if s.Lane.Why != "" {
		mode += " (" + spaced(s.Lane.Why) + ")"
	}
	if s.Lane.LeftS > 0 {
		mode += ", for " + ago(s.Lane.LeftS) + " more"
	} else if s.Lane.By != "" {
		mode += ", until it is taken back"
	}
	add(t, "mode", mode)
	x.Rows = append(x.Rows, a.armedRow())
	return x
}

func (a *App) armedRow() row {
	if a.journal == nil {
		return say(technician.Warn, "armed", "not known: the journal is not open, nobody is let through")
	}
	kept, err := a.armed()
	switch {
	case err != nil:
		return say(technician.Bad, "armed", err.Error())
	case !kept.On:
		return say(technician.Warn, "armed", "no, a dry run: everybody is referred (gatectl arm, when it is tested)")
	case kept.By == "":
		return say("", "armed", "yes, as every simulated gate")
	default:
		return say("", "armed", fmt.Sprintf("yes, by %s at %s", kept.By, clockTime(kept.At)))
	}
}

func deviceSection(devices []DeviceCheck) section {
	x := section{ID: "devices", Title: "Devices", Head: []string{"device", "state", "last sign of life", "last error", "counters"}}
	if len(devices) == 0 {
		x.Note = "None is open: what is wrong stands above."
	}
	for _, d := range devices {
		state, seen := "well", "none yet"
		if !d.OK {
			state = "not well"
		}
		if d.Rung != "" {
			state += fmt.Sprintf(", away for %s: %s", ago(d.AwayS), spaced(d.Rung))
		}
		if d.AgeMS >= 0 {
			seen = ago(d.AgeMS / 1000)
			if d.AgeMS >= 1000 {
				seen += " ago"
			}
		}
		wrong := d.Error
		if d.LastCrash != "" {
			wrong = strings.TrimPrefix(wrong+"; last crash: "+d.LastCrash, "; ")
		}
		counters := strings.TrimPrefix(fmt.Sprintf("%s, lost %d, restarted %d", d.Detail, d.Losses, d.Restarts), ", ")
		if d.Looks != nil {
			counters += fmt.Sprintf(", longest gap between looks %.0f ms, %d too late", d.Looks.LongestMS, d.Looks.Late)
		}
		x.Rows = append(x.Rows, say(tone(d.OK), spaced(d.Name), state, seen, orNone(wrong), counters))
	}
	return x
}

func testSection(s Status) section {
	x := section{ID: "selftest", Title: "Self-test", Head: []string{"check", "found", "detail", "cure"}}
	if s.SelfTest == nil {
		return x
	}
	x.Note = fmt.Sprintf("Of %s, by %s.", s.SelfTest.At, s.SelfTest.Why)
	for _, c := range s.SelfTest.Checks {
		found := "well"
		if !c.OK {
			found = "not well"
		}
		if c.Critical {
			found += ", closes the lane"
		}
		x.Rows = append(x.Rows, say(tone(c.OK), spaced(c.Check), found, orNone(c.Detail), orNone(c.Hint)))
	}
	return x
}

func hqSection(s Status) section {
	x := section{ID: "hq", Title: "Headquarters, accounts, records", Head: []string{"what", "how it is"}}
	link, t := "connected", technician.Good
	switch {
	case s.HQ.Error != "":
		link, t = s.HQ.Error, technician.Warn
	case !s.HQ.Connected:
		link, t = "not connected: the gate goes on alone", technician.Warn
	case s.HQ.CatchingUp:
		link, t = "connected, missed decisions are being fetched", technician.Warn
	}
	x.Rows = append(x.Rows, say(t, "link", link))
	cache := "none yet"
	if at, err := time.Parse(time.RFC3339, s.HQ.Issued); err == nil {
		cache = fmt.Sprintf("as of %s, %s old, entry %d", clockTime(at), ago(max(0, time.Since(at).Seconds())), s.HQ.Cursor)
	}
	x.Rows = append(x.Rows, say("", "accounts", cache))
	if s.Trust.Source != "" {
		text := fmt.Sprintf("%s of %s", counted(s.Trust.Signers, "signer"), s.Trust.Source)
		if s.Trust.Version != 0 {
			text += fmt.Sprintf(", store %d of %s", s.Trust.Version, s.Trust.Issued)
		}
		if s.Trust.Fault != "" {
			text += "; " + s.Trust.Fault
		}
		x.Rows = append(x.Rows, say(map[bool]string{true: "", false: technician.Bad}[s.Trust.Fault == ""], "signers of passes", text))
	}
	for _, b := range s.Journal {
		waiting := "all delivered"
		if n := b.Last - min(b.Last, b.Acked); n > 0 {
			waiting = fmt.Sprintf("%d wait for headquarters", n)
		}
		x.Rows = append(x.Rows, say("", "records: "+b.Stream, fmt.Sprintf("%d, %s", b.Last, waiting)))
	}
	return x
}

func (a *App) machineSection(s Status) section {
	x := section{ID: "machine", Title: "Clock, disk, process", Head: []string{"what", "how it is"}}
	now, trust, floor := a.clock.Wall()
	t := technician.Good
	if trust != gate.ClockSynced {
		t = technician.Warn
	}
	if trust == gate.ClockBad {
		t = technician.Bad
	}
	steps := "never set since the start"
	if n, by, at := a.clock.steps(); n > 0 {
		steps = fmt.Sprintf("set %s since the start, last by %v at %s", strings.Replace(counted(n, "time"), "1 time", "once", 1), by.Round(time.Millisecond), clockTime(at))
	}
	text := fmt.Sprintf("%s, %s; %s", clockTime(now), spaced(clockWord(trust)), steps)
	if trust == gate.ClockBad {
		text += fmt.Sprintf("; headquarters has signed a time after %s", clockTime(floor))
	}
	x.Rows = append(x.Rows, say(t, "clock", text))
	var disk unix.Statfs_t
	if err := unix.Statfs(a.cfg.Paths.State, &disk); err != nil {
		x.Rows = append(x.Rows, say(technician.Warn, "disk", fmt.Sprintf("%s cannot be asked: %v", a.cfg.Paths.State, err)))
	} else {
		free, size := disk.Bavail*uint64(disk.Bsize), disk.Blocks*uint64(disk.Bsize)
		x.Rows = append(x.Rows, say("", "disk", fmt.Sprintf("%.1f GiB of %.1f GiB free below %s", gib(free), gib(size), a.cfg.Paths.State)))
	}
	x.Rows = append(x.Rows, say("", "process", fmt.Sprintf("gated %s, up for %s", version(), ago(time.Since(a.started).Truncate(time.Minute).Seconds()))))
	return x
}

func gib(n uint64) float64 { return float64(n) / (1 << 30) }

func faceSection(s Status) section {
	x := section{ID: "faces", Title: "Faces before the camera", Head: []string{"what", "how it is"}}
	f := s.Faces
	if f == nil {
		return x
	}
	x.Rows = append(x.Rows, say("", "usable", fmt.Sprintf("%d of %d frames with a face", f.Usable, f.Faces)))
	if len(f.Drifting) > 0 {
		x.Rows = append(x.Rows, say(technician.Warn, "drifting", strings.Join(f.Drifting, ", ")+": clean the lens, look at the light, then calibrate"))
	}
	if r := f.FalseReject; r.Of > 0 {
		x.Rows = append(x.Rows, say("", "presumed false rejects", fmt.Sprintf("%d of %d (%.4f to %.4f)", r.Count, r.Of, r.Low, r.High)))
	}
	return x
}

// decisionSection lists the last decisions: no name, no account, no pass, and
// nothing that must look like any other referral.
func decisionSection(s Status) section {
	x := section{ID: "decisions", Title: "Last decisions", Head: []string{"transaction", "outcome", "why", "steps, ms since presence"}}
	if len(s.Recent) == 0 {
		x.Note = "None since the start."
	}
	for _, e := range s.Recent {
		x.Rows = append(x.Rows, say("", e.Tx, spaced(e.Outcome), why(e), steps(e.Steps)))
	}
	return x
}

func why(e event) string {
	known := map[string]reason.Reason{}
	for _, r := range reason.Reasons() {
		known[r.String()] = r
	}
	var out []string
	for _, word := range e.Reasons {
		out = append(out, spaced(word)+": "+known[word].Words())
	}
	for _, n := range e.Notices {
		out = append(out, spaced(string(n)))
	}
	if e.Detail != "" {
		out = append(out, spaced(e.Detail))
	}
	if len(out) == 0 {
		return "–"
	}
	return strings.Join(out, "; ")
}

func steps(ms map[string]float64) string {
	names := slices.SortedFunc(maps.Keys(ms), func(x, y string) int {
		if d := int(ms[x]*1000) - int(ms[y]*1000); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	var out []string
	for _, n := range names {
		out = append(out, fmt.Sprintf("%s %.0f", spaced(n), ms[n]))
	}
	return orNone(strings.Join(out, ", "))
}

// ago is a length of time as people say it.
func ago(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Second:
		return "less than 1 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	}
}

func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
