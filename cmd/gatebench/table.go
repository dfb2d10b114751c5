package main

import (
	"fmt"
	"io"
	"slices"

	"bordergate/cmd/gatebench/frames"
)

// table is what the readers came to in one series; reader 0 is ours.
type table struct {
	series
	conditions []frames.Condition
	names      []string
	read       [][]int // by reader and condition
	scenes     []int   // by condition
	times      [][]float64
	wrong      []int
}

func newTable(s series, conditions []frames.Condition) *table {
	t := &table{series: s, conditions: conditions, names: append([]string{"ours"}, s.peers...), scenes: make([]int, len(conditions))}
	for range t.names {
		t.read = append(t.read, make([]int, len(conditions)))
	}
	t.times = make([][]float64, len(t.names))
	t.wrong = make([]int, len(t.names))
	return t
}

func (t *table) count(i, condition int, read bool) {
	if i == 0 {
		t.scenes[condition]++
	}
	if read {
		t.read[i][condition]++
	}
}

// share is the mean over the conditions, of which each counts as much.
func (t *table) share(i int) float64 {
	var sum float64
	for c, n := range t.scenes {
		sum += percent(t.read[i][c], n)
	}
	return sum / float64(max(len(t.scenes), 1))
}

func percent(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

// quantile of unsorted values, the nearest rank.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func (t *table) print(w io.Writer) {
	line := func(name string, n int, cell func(i int) string) {
		fmt.Fprintf(w, "%-12s %5d", name, n)
		for i := range t.names {
			fmt.Fprintf(w, " %16s", cell(i))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\n%s, %d frames a scene: %% of scenes read, CPU ms a frame\n%-12s %5s", t.name, t.length, "condition", "n")
	for _, name := range t.names {
		fmt.Fprintf(w, " %16s", name)
	}
	fmt.Fprintln(w)
	total := 0
	for c, cond := range t.conditions {
		total += t.scenes[c]
		line(cond.Name, t.scenes[c], func(i int) string { return fmt.Sprintf("%.0f%%", percent(t.read[i][c], t.scenes[c])) })
	}
	line("all", total, func(i int) string { return fmt.Sprintf("%.1f%%", t.share(i)) })
	line("CPU median", total, func(i int) string { return fmt.Sprintf("%.2f", quantile(t.times[i], 0.5)) })
	line("CPU p95", total, func(i int) string { return fmt.Sprintf("%.2f", quantile(t.times[i], 0.95)) })
	line("wrong", total, func(i int) string { return fmt.Sprint(t.wrong[i]) })
}

// rows are the results that are kept: a row beside each peer, and the goals.
func (t *table) rows() []row {
	var out []row
	median, p95 := quantile(t.times[0], 0.5), quantile(t.times[0], 0.95)
	for i, peer := range t.names[1:] {
		out = append(out,
			row{Name: t.name + " read", Value: t.share(0), Unit: "%", Peer: peer, PeerValue: t.share(i + 1), OK: true},
			row{Name: t.name + " CPU median", Value: median, Unit: "ms", Peer: peer, PeerValue: quantile(t.times[i+1], 0.5), OK: true},
			row{Name: t.name + " CPU p95", Value: p95, Unit: "ms", Peer: peer, PeerValue: quantile(t.times[i+1], 0.95), OK: true})
	}
	out = append(out, row{Name: t.name + " wrong payloads", Value: float64(t.wrong[0]), Unit: "reads", Goal: "0", OK: t.wrong[0] == 0})
	if t.symbology != onQR {
		return out
	}
	lead := t.share(0) - t.share(1)
	if t.length > 1 {
		limit := float64(t.budget.Milliseconds())
		return append(out,
			row{Name: t.name + " read, points above zxing", Value: lead, Unit: "points", Goal: ">= 15", OK: lead >= 15},
			row{Name: t.name + " CPU p95 within the limit", Value: p95, Unit: "ms", Goal: fmt.Sprintf("<= %.0f", limit), OK: p95 <= limit})
	}
	out = append(out, row{Name: t.name + " read, points above zxing", Value: lead, Unit: "points", Goal: ">= 10", OK: lead >= 10})
	for c, cond := range t.conditions {
		if cond.Name == frames.Gate {
			v := percent(t.read[0][c], t.scenes[c])
			out = append(out, row{Name: t.name + " gate mix read", Value: v, Unit: "%", Goal: ">= 97", OK: v >= 97})
		}
	}
	if t.h == 720 {
		out = append(out, row{Name: t.name + " CPU median", Value: median, Unit: "ms", Goal: "<= 6", OK: median <= 6})
	}
	return out
}
