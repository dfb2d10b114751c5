package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// backlog is a gate's return after seven days without headquarters.
type backlog struct {
	records int
	rtt     time.Duration
}

// What seven days come to, and the line they come back over.
const (
	weekRecords = 2_000_000
	longLine    = 600 * time.Millisecond
)

func (b *backlog) flags(fs *flag.FlagSet) {
	fs.IntVar(&b.records, "backlog-records", weekRecords, "records in the journal when the link comes up")
	fs.DurationVar(&b.rtt, "backlog-rtt", longLine, "round-trip time of the line")
}

// drained is what "gatesim drain" says.
type drained struct {
	Records int     `json:"records"`
	Rate    float64 `json:"drain_rate"`
	Missed  int     `json:"live_missed"`
	Live    spread  `json:"live_late"`
	Alarm   spread  `json:"alarm_late"`
	Before  spread  `json:"commit_before"`
	During  spread  `json:"commit_during"`
	After   spread  `json:"commit_after"`
}

type spread struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func (b *backlog) measure(ctx context.Context, o syncOptions, out, progress io.Writer) ([]row, bool, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, "gatesim"), "drain", "--bin", o.bin, "--out", filepath.Join(o.work, "backlog"),
		"--records", strconv.Itoa(b.records), "--rtt", b.rtt.String())
	var result bytes.Buffer
	cmd.Stdout, cmd.Stderr = &result, progress
	if err := cmd.Run(); err != nil {
		return nil, false, fmt.Errorf("run gatesim drain: %w", err)
	}
	var d drained
	if err := json.Unmarshal(result.Bytes(), &d); err != nil {
		return nil, false, fmt.Errorf("read gatesim drain: %w", err)
	}
	fmt.Fprintf(out, "\nbacklog of %d records over %v: ms\n%-28s %6s %9s %9s %9s %9s\n", d.Records, b.rtt, "", "n", "median", "p95", "p99", "max")
	for _, l := range []struct {
		name string
		spread
	}{
		{"live crossings late", d.Live},
		{"live alarms late", d.Alarm},
		{"commit before", d.Before},
		{"commit while it drains", d.During},
		{"commit after", d.After},
	} {
		fmt.Fprintf(out, "%-28s %6d %9.3f %9.3f %9.3f %9.3f\n", l.name, l.N, l.P50, l.P95, l.P99, l.Max)
	}
	return d.rows(), b.records >= weekRecords && b.rtt >= longLine, nil
}

func (d drained) rows() []row {
	late := max(d.Live.Max, d.Alarm.Max)
	slower := func(after, before float64) float64 {
		if before <= 0 {
			return 0
		}
		return after / before
	}
	half, high := slower(d.After.P50, d.Before.P50), slower(d.After.P99, d.Before.P99)
	return []row{
		{Name: "backlog drained", Value: d.Rate, Unit: "rec/s", Goal: ">= 5000", OK: d.Rate >= 5000},
		{Name: "backlog live record late, p99", Value: d.Live.P99, Unit: "ms", OK: true},
		{Name: "backlog live record late, max", Value: late, Unit: "ms", Goal: "<= 2000", OK: d.Live.N > 0 && late <= 2000},
		{Name: "backlog live records not known in 2 s", Value: float64(d.Missed), Unit: "records", Goal: "0", OK: d.Missed == 0},
		{Name: "backlog commit after/before, median", Value: half, Unit: "times", Goal: "< 2", OK: half > 0 && half < 2},
		{Name: "backlog commit after/before, p99", Value: high, Unit: "times", Goal: "< 2", OK: high > 0 && high < 2},
	}
}
