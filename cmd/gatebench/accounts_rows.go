package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"bordergate/cmd/gatebench/replica"
)

// goalAccounts is for how many accounts the goals hold.
const goalAccounts = 1_000_000

func (t *transfers) between(from, to string) time.Duration { return t.at[to].Sub(t.at[from]) }

// effect is how long a suspension took from the command's start, ms.
func (t *transfers) effect(refused string) float64 {
	return float64(t.at[refused].Sub(t.suspended[refused]).Microseconds()) / 1000
}

func (t *transfers) print(w io.Writer) {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
	fmt.Fprintf(w, "\n%d accounts, %d of them new to the gate\n", t.accounts, t.accounts-t.accounts/10)
	fmt.Fprintf(w, "headquarters: enrolled in %s, snapshot of %.0f MB in %d pieces made in %s\n",
		seconds(t.enrolled), float64(t.made.Bytes)/1e6, t.made.Pieces, seconds(t.making))
	fmt.Fprintf(w, "gate: manifest after %s, received in %s, verified and in use in %s, caught up after %s more; the file has %.0f MB\n",
		seconds(t.between("start", "begun")), seconds(t.between("begun", "received")), seconds(t.between("received", "installed")),
		seconds(t.between("installed", "caught")), float64(t.bytes)/1e6)
	fmt.Fprintf(w, "suspended during the transfer and during the installation: refused %.0f and %.0f ms after the command began\n",
		t.effect("refused_in_transfer"), t.effect("refused_in_installation"))
	fmt.Fprintf(w, "anonymous memory: %.0f MB before, %.0f MB at most, %.0f MB after\n\n",
		float64(t.memory.Before)/1e6, float64(t.memory.Peak)/1e6, float64(t.memory.After)/1e6)
	fmt.Fprintf(w, "%-28s %9s %9s %9s %9s\n", "µs", "n", "p50", "p99", "max")
	for _, p := range []struct {
		when string
		m    replica.Measures
	}{{"meanwhile", t.during}, {"at rest", t.paced}} {
		line(w, "look-up, "+p.when, p.m.LookUp)
		line(w, "  its processor time", p.m.CPU)
		line(w, "asked and decided, "+p.when, p.m.Asked)
		line(w, "recorded, "+p.when, p.m.Recorded)
		fmt.Fprintf(w, "%d travellers admitted %s", p.m.Admitted, p.when)
		reasons := make([]string, 0, len(p.m.Others))
		for r := range p.m.Others {
			reasons = append(reasons, r)
		}
		slices.Sort(reasons)
		for _, r := range reasons {
			fmt.Fprintf(w, ", %d not: %s", p.m.Others[r], r)
		}
		fmt.Fprintln(w)
	}
	line(w, "look-up, one after another", t.row.LookUp)
	line(w, "  its processor time", t.row.CPU)
	if t.peer99 != 0 {
		fmt.Fprintf(w, "%-28s %9d %9.2f %9.2f; stored in %.1f s, %.0f MB\n", "the same in SQLite", 200_000, t.peer50, t.peer99, t.stored, float64(t.peerBytes)/1e6)
	}
}

func line(w io.Writer, name string, s replica.Spread) {
	fmt.Fprintf(w, "%-28s %9d %9.2f %9.2f %9.0f\n", name, s.N, s.P50, s.P99, s.Max)
}

// rows are the results that are kept.
func (t *transfers) rows() []row {
	name := func(s string) string { return fmt.Sprintf("%d accounts: %s", t.accounts, s) }
	goal := func(s, unit string, v, most float64) row {
		r := row{Name: name(s), Value: v, Unit: unit, OK: true}
		if t.accounts <= goalAccounts {
			r.Goal, r.OK = fmt.Sprintf("<= %.0f", most), v <= most
		}
		return r
	}
	plain := func(s, unit string, v float64) row { return row{Name: name(s), Value: v, Unit: unit, OK: true} }
	mb := func(b int64) float64 { return float64(b) / 1e6 }
	beside := func(r row, peer float64) row {
		if peer != 0 {
			r.Peer, r.PeerValue = "sqlite", peer
		}
		return r
	}
	out := []row{
		goal("transferred, verified, in use", "s", t.between("start", "installed").Seconds(), 60),
		goal("look-up p99", "µs", t.row.LookUp.P99, 20),
		goal("anonymous memory grows", "MB", mb(t.memory.Peak-t.memory.Before), 200),
		beside(plain("look-up p99", "µs", t.row.LookUp.P99), t.peer99),
		beside(plain("look-up median", "µs", t.row.LookUp.P50), t.peer50),
		beside(plain("verified and in use", "s", t.between("received", "installed").Seconds()), t.stored),
		beside(plain("file", "MB", mb(t.bytes)), mb(t.peerBytes)),
		plain("look-up p99 meanwhile", "µs", t.during.LookUp.P99),
		plain("look-up p99 meanwhile, CPU", "µs", t.during.CPU.P99),
		plain("look-up p99 at the lane's pace", "µs", t.paced.LookUp.P99),
		plain("look-up p99 at the lane's pace, CPU", "µs", t.paced.CPU.P99),
		plain("snapshot made", "s", t.making.Seconds()),
		plain("snapshot", "MB", mb(t.made.Bytes)),
		plain("received", "s", t.between("begun", "received").Seconds()),
		plain("asked and decided p99 meanwhile", "µs", t.during.Asked.P99),
		plain("asked and decided p99 at rest", "µs", t.paced.Asked.P99),
		plain("recorded p99 meanwhile", "µs", t.during.Recorded.P99),
		plain("recorded p99 at rest", "µs", t.paced.Recorded.P99),
		plain("admitted meanwhile", "people", float64(t.during.Admitted)),
		plain("suspension in the transfer", "ms", t.effect("refused_in_transfer")),
		plain("suspension in the installation", "ms", t.effect("refused_in_installation")),
	}
	return out
}
