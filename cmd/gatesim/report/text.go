package report

import (
	"fmt"
	"io"
	"strings"

	"bordergate/gate/reason"
)

// keySteps are the steps shown in a traveller's line, with their short names.
func keySteps() [][2]string {
	return [][2]string{
		{"symbol_decoded", "pass"},
		{"first_usable_face", "face"},
		{"match_decided", "match"},
		{"verdict", "verdict"},
		{"grant_sent", "grant"},
		{"passage_completed", "passed"},
	}
}

// Head prints the heading of the travellers' lines.
func Head(w io.Writer) {
	fmt.Fprintf(w, "%4s %-16s %-10s %-28s %-62s %8s %8s  %s\n", "n", "case", "outcome", "reasons", "steps, ms since presence", "machine", "total", "")
}

// Line prints one traveller.
func Line(w io.Writer, t Traveller) {
	var steps []string
	for _, k := range keySteps() {
		if v, ok := t.StepsMS[k[0]]; ok {
			steps = append(steps, fmt.Sprintf("%s %.0f", k[1], v))
		}
	}
	state := "ok"
	if t.Reader != "" {
		state += " (" + t.Reader + ")"
	}
	if !t.AsExpected {
		state = "NOT AS EXPECTED: " + strings.Join(t.Faults, "; ")
	}
	fmt.Fprintf(w, "%4d %-16s %-10s %-28s %-62s %8s %8s  %s\n", t.N, t.Case, t.Outcome, words(t.Reasons, t.Notices), strings.Join(steps, "  "),
		number(t.MachineMS), number(t.TotalMS), state)
}

// words are the reasons and, in brackets, what he was told beside.
func words(rs []reason.Reason, notices []string) string {
	var out []string
	for _, r := range rs {
		out = append(out, r.String())
	}
	for _, n := range notices {
		out = append(out, "("+n+")")
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, " ")
}

func number(ms float64) string {
	if ms == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", ms)
}

// Table prints the summary.
func Table(w io.Writer, r *Report) {
	s := r.Summary
	fmt.Fprintf(w, "\n%d travellers, %d as expected: %d admitted, %d referred, %d refused, %d abandoned, %d other\n",
		s.Travellers, s.AsExpected, s.Admitted, s.Referred, s.Refused, s.Abandoned, s.Other)
	if s.NotLive > 0 {
		fmt.Fprintf(w, "referred for liveness though they should pass: %d of %d\n", s.NotLive, s.Admitted+s.NotLive)
	}
	fmt.Fprintf(w, "%-40s %8s %8s %8s %8s\n", "ms, admitted travellers", "p50", "p95", "p99", "max")
	for _, row := range []struct {
		name string
		v    Spread
	}{
		{"machine time", s.MachineMS},
		{"  both in view to grant at the board", s.GrantMS},
		{"  passage completed to ready", s.ReadyMS},
		{"total, symbol in view to passed", s.TotalMS},
	} {
		p95, p99 := fmt.Sprintf("%.0f", row.v.P95), fmt.Sprintf("%.0f", row.v.P99)
		if row.v.N < Few {
			p95, p99 = "-", "-"
		}
		fmt.Fprintf(w, "%-40s %8.0f %8s %8s %8.0f\n", row.name, row.v.P50, p95, p99, row.v.Max)
	}
	if s.MachineMS.N < Few {
		fmt.Fprintf(w, "(percentiles are shown from %d admitted travellers on; these are %d)\n", Few, s.MachineMS.N)
	}
	c := r.Records
	fmt.Fprintf(w, "records: %d in the journal, %d at headquarters; missing %d, doubled %d, unknown %d, contradicting %d, grants without an earlier record %d\n",
		c.Journal, c.HQ, c.Missing, c.Doubled, c.Unknown, c.Unmatched, c.NotDurable)
	fmt.Fprintf(w, "simulator: %.1f s CPU for set-up, %.1f s while travellers went; seed %d, scenario %s\n", r.CPUSeconds.Setup, r.CPUSeconds.Travellers, r.Seed, r.Scenario)
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(w, "FAULT: %s\n", f)
	}
}
